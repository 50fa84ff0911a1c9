// SPDX-License-Identifier: Apache-2.0

// A DICOM node in JavaScript, for tests:
//
//   node peer.js scp PORT              takes associations on PORT until it is stopped
//   node peer.js scu PORT FILE...      C-ECHO, a C-STORE of each file, C-FIND of studies
//   node peer.js commit PORT UID FILE  C-STORE of a CT image, N-ACTION that asks to commit to it and to UID, and the
//                                      report of that on the same association
//
// It prints one line for each thing that happened. With PEER_KEY, PEER_CERT and PEER_CA, names of PEM files, it speaks
// mutual TLS; PEER_CALLING and PEER_CALLED are AE titles other than CT_OR3 and ARCHIVE.

const fs = require('node:fs');
const { Client, Dataset, Scp, Server, constants, log, requests, responses } = require('dcmjs-dimse');
const { PresentationContextResult, Status } = constants;

log.setLevel('silent');
const say = (...words) => process.stdout.write(words.join(' ') + '\n');
const mode = process.argv[2];
const { PEER_KEY, PEER_CERT, PEER_CA, PEER_CALLING = 'CT_OR3', PEER_CALLED = 'ARCHIVE' } = process.env;
const options = {};
if (PEER_KEY) {
  const [key, cert, ca] = [PEER_KEY, PEER_CERT, PEER_CA].map((f) => fs.readFileSync(f));
  options.securityOptions = { key, cert, ca, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' };
}

class Node extends Scp {
  associationRequested(association) {
    if (association.getCalledAeTitle() !== PEER_CALLED) {
      this.sendAssociationReject(
        constants.RejectResult.Permanent,
        constants.RejectSource.ServiceUser,
        constants.RejectReason.CalledAeNotRecognized,
      );
      return;
    }
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id);
      context.setResult(PresentationContextResult.Accept, context.getTransferSyntaxUids()[0]);
    }
    say('associated', association.getCallingAeTitle());
    this.sendAssociationAccept();
  }

  cEchoRequest(request, callback) {
    const response = responses.CEchoResponse.fromRequest(request);
    response.setStatus(Status.Success);
    say('echo');
    callback(response);
  }

  cStoreRequest(request, callback) {
    const elements = request.getDataset().getElements();
    const response = responses.CStoreResponse.fromRequest(request);
    response.setStatus(Status.Success);
    say('stored', elements.SOPInstanceUID, elements.PatientID, Buffer.from(elements.PixelData[0]).length);
    callback(response);
  }

  cFindRequest(request, callback) {
    const match = responses.CFindResponse.fromRequest(request);
    match.setDataset(new Dataset({ QueryRetrieveLevel: 'STUDY', PatientID: 'FICT-0001', StudyInstanceUID: '1.2.826.0.1.3680043.8.498.1' }));
    match.setStatus(Status.Pending);
    const end = responses.CFindResponse.fromRequest(request);
    end.setStatus(Status.Success);
    callback([match, end]);
  }

  associationReleaseRequested() {
    say('released');
    this.sendAssociationReleaseResponse();
  }
}

if (mode === 'scp') {
  const server = new Server(Node);
  server.on('networkError', (e) => say('error', e.message));
  server.listen(Number(process.argv[3]), options);
} else if (mode === 'commit') {
  const [port, extra, file] = process.argv.slice(3);
  const client = new Client();
  const store = new requests.CStoreRequest(file);
  store.on('response', (response) => say('store', response.getStatus().toString(16)));
  client.addRequest(store);
  const ask = new requests.NActionRequest(constants.SopClass.StorageCommitmentPushModel, '1.2.840.10008.1.20.1.1', 1);
  const stored = store.getDataset() ? store.getDataset().getElement('SOPInstanceUID') : store.getAffectedSopInstanceUid();
  const item = (uid) => ({ ReferencedSOPClassUID: '1.2.840.10008.5.1.4.1.1.2', ReferencedSOPInstanceUID: uid });
  ask.setDataset(new Dataset({ TransactionUID: '1.2.3.999', ReferencedSOPSequence: [item(stored), item(extra)] }));
  ask.on('response', (response) => say('action', response.getStatus().toString(16)));
  client.addRequest(ask);
  client.on('nEventReportRequest', (request, callback) => {
    const { TransactionUID, ReferencedSOPSequence: good = [], FailedSOPSequence: bad = [] } = request.getDataset().getElements();
    say('report', request.getEventTypeId(), TransactionUID, 'safe', ...good.map((i) => i.ReferencedSOPInstanceUID), 'failed', ...bad.map((i) => `${i.ReferencedSOPInstanceUID}:${i.FailureReason}`));
    const response = responses.NEventReportResponse.fromRequest(request);
    response.setStatus(Status.Success);
    callback(response);
    setTimeout(() => process.exit(0), 500);
  });
  client.on('networkError', (e) => say('error', e.message));
  client.send('127.0.0.1', Number(port), PEER_CALLING, PEER_CALLED, { ...options, associationLingerTimeout: 20000 });
} else {
  const client = new Client();
  const note = (what) => (response) => say(what, response.getStatus().toString(16));
  const echo = new requests.CEchoRequest();
  echo.on('response', note('echo'));
  client.addRequest(echo);
  for (const file of process.argv.slice(4)) {
    const store = new requests.CStoreRequest(file);
    store.on('response', note('store'));
    client.addRequest(store);
  }
  const find = requests.CFindRequest.createStudyFindRequest({ PatientID: 'FICT-0001' });
  find.on('response', (response) => {
    if (response.getStatus() === Status.Pending) say('match', response.getDataset().getElements().StudyInstanceUID);
    else note('find')(response);
  });
  client.addRequest(find);
  client.on('networkError', (e) => say('error', e.message));
  client.on('associationRejected', (r) => say('rejected', r.reason));
  client.on('closed', () => say('closed'));
  client.send('127.0.0.1', Number(process.argv[3]), PEER_CALLING, PEER_CALLED, options);
}
