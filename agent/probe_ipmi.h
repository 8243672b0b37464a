#ifndef AGENT_PROBE_IPMI_H
#define AGENT_PROBE_IPMI_H

#include <stddef.h>
#include <stdint.h>

#include "specs/facts.h"

/* One question to the management controller. The length of its answer in
 * `reply` (a completion code, then data), or -1 when none came. */
typedef int ipmi_ask(void *ctx, uint8_t netfn, uint8_t cmd, const uint8_t *data,
		     size_t len, uint8_t *reply, size_t size);

/* ('system', 'ipmi', 'channel', N) of the first channel whose access can be
 * read, and ('ipmi', 'lan', …) of its first LAN channel, in ipmitool's words.
 * -1 when the controller fell silent. */
int ipmi_facts(ipmi_ask *ask, void *ctx, struct facts *out);

#endif
