// SPDX-License-Identifier: Apache-2.0
//
// bacnet.js server|client ADDRESS BROADCAST: an air handler and its building management station, on the library node-bacnet.
const Bacnet = require('node-bacnet');
const [role, address, broadcast] = process.argv.slice(2);
const peer = new Bacnet({ interface: '0.0.0.0', broadcastAddress: broadcast, apduTimeout: 1500 });
const e = Bacnet.enum;
if (role === 'server') {
  const values = { 77: [{ type: 7, value: 'AHU-OR3' }], 121: [{ type: 7, value: 'Siemens Building Technologies' }],
    70: [{ type: 7, value: 'PXC36.1-E.D' }], 44: [{ type: 7, value: 'FW=6.20.30' }], 12: [{ type: 7, value: 'APP=2.1' }],
    58: [{ type: 7, value: 'OR 3 plenum' }], 120: [{ type: 2, value: 7 }], 28: [{ type: 7, value: 'Air handling unit OR 3' }] };
  peer.on('whoIs', () => peer.iAmResponse(null, 4711, e.Segmentation.NO_SEGMENTATION, 7));
  peer.on('readProperty', (d) => {
    const v = values[d.payload.property.id];
    const to = { address: d.header.sender.address };
    if (v) peer.readPropertyResponse(to, d.invokeId, d.payload.objectId, d.payload.property, v);
    else peer.errorResponse(to, d.service, d.invokeId, e.ErrorClass.PROPERTY, e.ErrorCode.UNKNOWN_PROPERTY);
  });
  peer.on('writeProperty', (d) => peer.simpleAckResponse({ address: d.header.sender.address }, d.service, d.invokeId));
} else {
  const at = { address };
  const read = (type, instance, id) => new Promise((done) => peer.readProperty(at, { type, instance }, id, () => done()));
  peer.whoIs();
  setTimeout(async () => {
    for (const id of [77, 121, 70, 44, 12, 58, 28, 112]) await read(8, 4711, id);
    await new Promise((done) => peer.writeProperty(at, { type: 1, instance: 3 }, 85, [{ type: 4, value: 21.5 }], { priority: 8 }, () => done()));
    peer.timeSync({ address: broadcast }, new Date());
    setTimeout(() => process.exit(0), 300);
  }, 500);
}
