package lan
import ("testing";"os";"fmt";"encoding/json")
func TestDump(t *testing.T) {
	f := os.Getenv("DUMP"); if f == "" { t.Skip() }
	h := replay(t, f)
	for _, e := range h.Events { b,_ := json.Marshal(e.Detail); fmt.Printf("EV %s act=%d st=%d %s | %s | %s\n", e.Protocol, e.Activity, e.Status, e.StatusCode, e.Message, b) }
	seen := map[string]bool{}
	for _, e := range h.Facts { s := fmt.Sprintf("FACT %s %s v%d: %s=%s [%s %d]", e.Subject.MAC, e.Subject.IP, e.Subject.VLAN, e.Attribute, e.Value, e.Source, e.Confidence); if !seen[s] { fmt.Println(s) }; seen[s]=true }
}
