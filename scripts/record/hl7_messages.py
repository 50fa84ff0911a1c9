#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The HL7 v2 messages of a fictional theatre morning: hl7_messages.py NAME prints one, segments ended by CR.

People, numbers and places are fictional. Device identifiers use GTINs of GS1's demonstration prefix 952. ADT, ORM, SIU after HL7
2.5.1; device observations after IHE DEC (PCD-01), HL7 2.6, with the UDI in PRT segments (PRT-10, PRT-16 to 20) or in OBX-18.
"""
import datetime
import sys

HOSPITAL = "LINDENHOF_FICT"


def gtin(body):
    """A GTIN-14 of thirteen digits with its check digit (GS1 General Specifications 7.9)."""
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(body))
    return body + str(-total % 10)


PUMP_DI, VENT_DI, MONITOR_DI = gtin("0952000000017"), gtin("0952000000024"), gtin("0952000000031")
PATIENTS = {
    "petra": "PID|1||FICT-0001^^^LINDENHOF^MR||Probe^Petra||19700101|F|||Musterweg 1^^Beispielstadt^^00000^XX||+000 555 0001",
    "max": "PID|1||FICT-0002^^^LINDENHOF^MR||Muster^Max||19650615|M",
}
NOW = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d%H%M%S+0000")


def msh(kind, control, app, facility=HOSPITAL, to="ENGINE", version="2.5.1", rest=""):
    return f"MSH|^~\\&|{app}|{facility}|{to}|{HOSPITAL}|{NOW}||{kind}|{control}|P|{version}{rest}"


def adt(event, control):
    return [msh(f"ADT^{event}^ADT_A01", control, "ADMIT"), f"EVN|{event}|{NOW}", PATIENTS["petra"],
            "PV1|1|I|OR3^PREP^1^LINDENHOF||||0001^Fiktiv^Franz^^^Dr.|||SUR||||||||0002^Chirurg^Clara|S|FICT-V-1"]


def orm(control):
    return [msh("ORM^O01^ORM_O01", control, "RIS", to="CT_BROKER"), PATIENTS["petra"], "PV1|1|I|OR3",
            "ORC|NW|FICT-O-1|FICT-F-1||SC||^^^20260112080000||20260112070000|||0001^Fiktiv^Franz",
            "OBR|1|FICT-O-1|FICT-F-1|74177^CT abdomen^C4|||20260112080000||||||planning|||0001^Fiktiv^Franz||FICT-A-PETRA|||||CT"]


def siu(event, control):
    text = {"S12": "booked", "S13": "rescheduled", "S15": "cancelled"}[event]
    return [msh(f"SIU^{event}^SIU_S12", control, "ORSCHED"),
            f"SCH|FICT-APP-1|||||{event}^{text}|ROUTINE^^HL70276||90|min|^^90^20260112083000^20260112100000|||||0002^Chirurg^Clara",
            PATIENTS["petra"], "PV1|1|I|OR3", "RGS|1|A",
            "AIS|1|A|47562^Laparoscopic cholecystectomy^C4|20260112083000|||90|min",
            "AIL|1|A|OR3^^^LINDENHOF^^^^Theatre 3||||20260112083000|||90|min", "AIP|1|A|0002^Chirurg^Clara|SURGEON"]


PUMP = "IVP_FICT^0003B1FFFE0A1021^EUI-64"


def pump(control, rate="120"):
    """IHE PCD-01 of an infusion pump; the UDI stands in PRT-10 and, in parts, in PRT-16 to 20."""
    return [msh("ORU^R01^ORU_R01", control, PUMP, version="2.6", rest="|||AL|NE||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"),
            PATIENTS["petra"], "PV1|1|I|OR3^^1",
            f"OBR|1|FICT-{control}^IVP_FICT|FICT-{control}^IVP_FICT|69985^MDC_DEV_PUMP_INFUS_MDS^MDC|||{NOW}",
            "OBX|1||69985^MDC_DEV_PUMP_INFUS_MDS^MDC|1.0.0.0|||||||X|||||||0003B1FFFE0A1021^^0003B1FFFE0A1021^EUI-64",
            f"PRT|1|UC||EQUIP^Equipment^HL70912||||||(01){PUMP_DI}(11)240101(21)FICT-PUMP-21^^2.16.840.1.113883.3.3719^ISO"
            f"||||||{PUMP_DI}^^2.16.840.1.113883.3.3719^ISO|20240101||LOT-F1|FICT-PUMP-21",
            "OBX|2|ST|531970^MDC_ID_MODEL_MANUFACTURER^MDC|1.0.0.1|ICU Medical (fictional)||||||R",
            "OBX|3|ST|531969^MDC_ID_MODEL_NUMBER^MDC|1.0.0.2|Plum 360 (fictional)||||||R",
            "OBX|4|ST|531975^MDC_ID_PROD_SPEC_SW^MDC|1.0.0.3|15.11.00||||||R",
            f"OBX|5|NM|157784^MDC_FLOW_FLUID_PUMP^MDC|1.1.1.101|{rate}|265266^MDC_DIM_MILLI_L_PER_HR^MDC|||||R|||{NOW}",
            "OBX|6|CWE|184508^MDC_PUMP_STAT^MDC|1.1.1.102|^pump-status-infusing||||||R"]


def vitals(control, rate="72"):
    """IHE PCD-01 of a patient monitor; its identity is in OBX-18 alone."""
    dev = "|||||R|||{0}||||MX800_FICT^Philips Healthcare (fictional)^00095CFFFE0A1022^EUI-64".format(NOW)
    return [msh("ORU^R01^ORU_R01", control, "MONITOR_GW^00095CFFFE0A1022^EUI-64", version="2.6",
                rest="|||AL|NE||UNICODE UTF-8|||IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"),
            PATIENTS["petra"], "PV1|1|I|OR3^^1", f"OBR|1|FICT-{control}^GW|FICT-{control}^GW|69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|||{NOW}",
            f"OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.7.4.147842|{rate}|264864^MDC_DIM_BEAT_PER_MIN^MDC" + dev,
            "OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.150456|98|262688^MDC_DIM_PERCENT^MDC" + dev,
            "OBX|3|NM|150039^MDC_PRESS_BLD_ART_ABP_MEAN^MDC|1.2.1.150039|81|266016^MDC_DIM_MMHG^MDC" + dev]


def ventilator(control):
    """The UDI in OBX-18, as four repetitions of an entity identifier."""
    eq = f"(01){VENT_DI}(21)FICT-VENT-7^^2.16.840.1.113883.3.3719^ISO~FICT-VENT-7^SERIAL~Evita (fictional)^MODEL~Draeger (fictional)^VENDOR"
    return [msh("ORU^R01^ORU_R01", control, "VENT_GW", version="2.6"), PATIENTS["petra"], "PV1|1|I|OR3",
            f"OBR|1|FICT-{control}|FICT-{control}|70001^MDC_DEV_SYS_PT_VENT_MDS^MDC|||{NOW}",
            f"OBX|1|NM|151586^MDC_VENT_RESP_RATE^MDC|1.1.1.1|14|264928^MDC_DIM_RESP_PER_MIN^MDC|||||R|||{NOW}||||{eq}"]


def escapes(control):
    return [msh("ORU^R01^ORU_R01", control, "LAB", rest="||||||8859/1"), PATIENTS["max"],
            "OBR|1|FICT-O-2||NOTE^Note^L",
            "OBX|1|FT|NOTE^Note^L||Pipe \\F\\ caret \\S\\ amp \\T\\ tilde \\R\\ backslash \\E\\ CR \\X0D\\ \\.br\\ \\H\\bold\\N\\ Gr\u00f6\u00dfe||||||F",
            "OBX|2|ST|UNIT^^L||not^components\\T\\here||||||F", "NTE|1||" + "long note " * 60]


def delimited(control):
    """MSH-1 and MSH-2 of one's own choosing: $ * @ ! %."""
    lines = [line.translate(str.maketrans("|^~\\&", "$*@!%")) for line in adt("A08", control)]
    return lines


def truncation(control):
    """HL7 2.7: a fifth encoding character, the truncation character."""
    lines = adt("A08", control)
    lines[0] = lines[0].replace("^~\\&|", "^~\\&#|", 1).replace("|2.5.1", "|2.7")
    return lines


def batch(control):
    head = f"|^~\\&|LAB|{HOSPITAL}|ENGINE|{HOSPITAL}|{NOW}"
    out = ["FHS" + head, "BHS" + head]
    for i in range(3):
        out += adt("A08", f"{control}-{i}") if i < 2 else escapes(f"{control}-{i}")
    return out + ["BTS|3", "FTS|1"]


def enhanced(control):
    lines = siu("S12", control)
    lines[0] += "|||AL|AL"
    return lines


MESSAGES = {
    "adt-a01": lambda c: adt("A01", c), "adt-a08": lambda c: adt("A08", c), "adt-a03": lambda c: adt("A03", c), "orm": orm,
    "siu-s12": lambda c: siu("S12", c), "siu-s13": lambda c: siu("S13", c), "siu-s15": lambda c: siu("S15", c),
    "pump": pump, "vitals": vitals, "ventilator": ventilator, "escapes": escapes, "delimited": delimited, "truncation": truncation,
    "batch": batch, "enhanced": enhanced,
}


def message(name, control=None):
    lines = MESSAGES[name](control or f"{name.upper()}-1")
    return ("\r".join(lines) + "\r").encode("latin-1" if name == "escapes" else "utf-8")


if __name__ == "__main__":
    sys.stdout.buffer.write(message(*sys.argv[1:]))
