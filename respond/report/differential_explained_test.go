// SPDX-License-Identifier: Apache-2.0

package report

// explanations account for every difference. Where tshark is wrong or reads
// less, where the sensor withholds or sums up on purpose.
var explanations = []explanation{}
