// SPDX-License-Identifier: Apache-2.0
// The taxonomy of device classes, in the order in which lists show it.
// docs/devices.md describes each.

export const classNames: Record<string, string> = {
  ct: 'CT', mr: 'MR', ultrasound: 'Ultrasound', xray: 'X-ray', 'c-arm': 'C-arm', angiography: 'Angiography', 'nuclear-medicine': 'Nuclear medicine',
  endoscopy: 'Endoscopy', modality: 'Imaging device', pacs: 'PACS', 'image-processor': 'Image processor', 'xr-headset': 'XR headset',
  'xr-processor': 'XR processor', 'surgical-robot': 'Surgical robot', 'surgical-table': 'Surgical table', 'surgical-navigation': 'Surgical navigation',
  'infusion-pump': 'Infusion pump', 'patient-monitor': 'Patient monitor', ventilator: 'Ventilator', anaesthesia: 'Anaesthesia', 'lab-analyser': 'Lab analyser',
  'interface-engine': 'Interface engine', ehr: 'EHR', rtls: 'RTLS', workstation: 'Workstation', server: 'Server', printer: 'Printer', camera: 'Camera',
  phone: 'Phone', mobile: 'Mobile', network: 'Network', 'building-system': 'Building system', scanner: 'Security scanner', unknown: 'Unknown',
}

const order = Object.keys(classNames)
const places = new Map(order.map((cls, i) => [cls, i]))

export function classOrder(cls: string): number {
  return places.get(cls) ?? order.length
}

export const classOptions = order.map((value) => ({ value, label: classNames[value] ?? value }))
