// SPDX-License-Identifier: Apache-2.0

// A DICOM node in JavaScript, for tests:
//
//   node peer.js scp PORT              takes associations on PORT until it is stopped
//   node peer.js scu PORT FILE...      C-ECHO, a C-STORE of each file, C-FIND of studies
//
// It prints one line for each thing that happened.

const { Client, Dataset, Scp, Server, constants, log, requests, responses } = require('dcmjs-dimse');
const { PresentationContextResult, Status } = constants;

log.setLevel('silent');
const say = (...words) => process.stdout.write(words.join(' ') + '\n');
const mode = process.argv[2];

class Node extends Scp {
  associationRequested(association) {
    if (association.getCalledAeTitle() !== 'ARCHIVE') {
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
  server.listen(Number(process.argv[3]));
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
  client.send('127.0.0.1', Number(process.argv[3]), 'CT_OR3', 'ARCHIVE');
}
