// SPDX-License-Identifier: Apache-2.0

package atna

// Code is a coded value.
type Code struct {
	Value   string
	System  string // "DCM", "RFC-3881"
	Meaning string
}

func dcm(value, meaning string) Code { return Code{value, "DCM", meaning} }

// Events (PS3.16 CID 400).
var (
	ApplicationActivity    = dcm("110100", "Application Activity")
	AuditLogUsed           = dcm("110101", "Audit Log Used")
	BeginTransferring      = dcm("110102", "Begin Transferring DICOM Instances")
	InstancesAccessed      = dcm("110103", "DICOM Instances Accessed")
	InstancesTransferred   = dcm("110104", "DICOM Instances Transferred")
	StudyDeleted           = dcm("110105", "DICOM Study Deleted")
	Export                 = dcm("110106", "Export")
	Import                 = dcm("110107", "Import")
	NetworkEntry           = dcm("110108", "Network Entry")
	OrderRecord            = dcm("110109", "Order Record")
	PatientRecord          = dcm("110110", "Patient Record")
	ProcedureRecord        = dcm("110111", "Procedure Record")
	Query                  = dcm("110112", "Query")
	SecurityAlert          = dcm("110113", "Security Alert")
	UserAuthentication     = dcm("110114", "User Authentication")
	ApplicationStart       = dcm("110120", "Application Start")
	ApplicationStop        = dcm("110121", "Application Stop")
	Login                  = dcm("110122", "Login")
	Logout                 = dcm("110123", "Logout")
	Attach                 = dcm("110124", "Attach")
	Detach                 = dcm("110125", "Detach")
	NodeAuthentication     = dcm("110126", "Node Authentication")
	EmergencyOverride      = dcm("110127", "Emergency Override Started")
	NetworkConfiguration   = dcm("110128", "Network Configuration")
	SecurityConfiguration  = dcm("110129", "Security Configuration")
	HardwareConfiguration  = dcm("110130", "Hardware Configuration")
	SoftwareConfiguration  = dcm("110131", "Software Configuration")
	RestrictedFunction     = dcm("110132", "Use of Restricted Function")
	AuditRecordingStopped  = dcm("110133", "Audit Recording Stopped")
	AuditRecordingStarted  = dcm("110134", "Audit Recording Started")
	ObjectSecurityChanged  = dcm("110135", "Object Security Attributes Changed")
	SecurityRolesChanged   = dcm("110136", "Security Roles Changed")
	UserSecurityChanged    = dcm("110137", "User security Attributes Changed")
	EmergencyOverrideEnded = dcm("110138", "Emergency Override Stopped")
	RemoteServiceStarted   = dcm("110139", "Remote Service Operation Started")
	RemoteServiceStopped   = dcm("110140", "Remote Service Operation Stopped")
	LocalServiceStarted    = dcm("110141", "Local Service Operation Started")
	LocalServiceStopped    = dcm("110142", "Local Service Operation Stopped")
)

// Roles of participants (PS3.16 CID 402).
var (
	RoleApplication      = dcm("110150", "Application")
	RoleLauncher         = dcm("110151", "Application Launcher")
	RoleDestination      = dcm("110152", "Destination Role ID")
	RoleSource           = dcm("110153", "Source Role ID")
	RoleDestinationMedia = dcm("110154", "Destination Media")
	RoleSourceMedia      = dcm("110155", "Source Media")
)

// What the identifier of an object is (PS3.15 §A.5.1.2.4, PS3.16 CID 404).
var (
	IDStudy    = dcm("110180", "Study Instance UID")
	IDSOPClass = dcm("110181", "SOP Class UID")
	IDNode     = dcm("110182", "Node ID")
	IDPatient  = Code{"2", "RFC-3881", "Patient Number"}
	IDURI      = Code{"12", "RFC-3881", "URI"}
)

// Kinds and roles of objects (PS3.15 §A.5.1.2).
const (
	Person       = 1
	SystemObject = 2

	ObjectPatient          = 1
	ObjectReport           = 3
	ObjectSecurityResource = 13
	ObjectQuery            = 24
)

// Outcome is how an event ended.
type Outcome int

// The outcomes.
const (
	Success        Outcome = 0
	MinorFailure   Outcome = 4
	SeriousFailure Outcome = 8
	MajorFailure   Outcome = 12
)

// Actions.
const (
	Create  = 'C'
	Read    = 'R'
	Update  = 'U'
	Delete  = 'D'
	Execute = 'E'
)
