#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Modbus/TCP peers of pymodbus 3.0 (Debian 12), both on 127.0.0.1 port 502.

  pymodbus_peers.py server    a theatre's ventilation: 50 coils, inputs and registers, basic device identification
  pymodbus_peers.py client    reads and writes each kind, reads an address that is not there, asks for the identification
"""
import sys

from pymodbus.client import ModbusTcpClient
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.mei_message import ReadDeviceInformationRequest
from pymodbus.server import StartTcpServer


def server():
    store = ModbusSlaveContext(
        di=ModbusSequentialDataBlock(0, [1] * 50), co=ModbusSequentialDataBlock(0, [0] * 50),
        hr=ModbusSequentialDataBlock(0, [7] * 50), ir=ModbusSequentialDataBlock(0, [8] * 50))
    identity = ModbusDeviceIdentification(info_name={
        "VendorName": "Lindenhof Klima", "ProductCode": "OR-AIR", "VendorUrl": "http://x.example",
        "ProductName": "Theatre ventilation", "ModelName": "OR-AIR 3", "MajorMinorRevision": "2.4"})
    StartTcpServer(context=ModbusServerContext(slaves=store, single=True), identity=identity, address=("127.0.0.1", 502))


def client():
    c = ModbusTcpClient("127.0.0.1", port=502)
    if not c.connect():
        sys.exit("pymodbus_peers: nothing listens")
    c.read_coils(1, 4, slave=1)
    c.read_holding_registers(0, 10, slave=1)
    c.write_register(5, 42, slave=1)
    c.write_coil(3, True, slave=1)
    c.write_registers(10, [1, 2, 3], slave=1)
    c.read_input_registers(2, 3, slave=1)
    c.read_holding_registers(900, 5, slave=1)
    c.execute(ReadDeviceInformationRequest(read_code=2, object_id=0, unit=1))
    c.close()


if __name__ == "__main__":
    {"server": server, "client": client}[sys.argv[1]]()
