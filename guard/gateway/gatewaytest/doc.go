// SPDX-License-Identifier: Apache-2.0

// Package gatewaytest is the world around a DICOM gateway, for tests: real peers that are started, waited for
// and stopped, certificates as their programs read them, and images of people who do not exist.
//
// Peers are DCMTK, Orthanc and others as Debian has them. Where one is missing, the test is skipped by its
// name. They listen and talk on the loopback alone, and are killed with the test that started them. What
// a program said is shown where its test fails.
//
// There is no gateway in it: package whole has one.
package gatewaytest
