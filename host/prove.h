#ifndef HOST_PROVE_H
#define HOST_PROVE_H

#include "host/host.h"
#include "host/versioned.h"

/* A version on trial is good when it was seen to be well: the system is up
 * (multi-user.target, where systemd runs), and each program in
 * /etc/edeploy/health.d ends with 0 within a minute. */
#define PROVE_DIR "/etc/edeploy/health.d"
#define PROVE_S 600      /* PROVE_S= in the conf */
#define PROVE_CHECK_S 60 /* one program */

/* Beside a version that was entered live, as long as its post runs: one whose
 * post was cut off is not proved. */
#define PROVE_POST ".post"

/* Look once. ERR_REFUSED names what is not well. */
int prove_healthy(struct err *e);

/* The running version is good from now on: boot.cfg, history, and versions that
 * nobody needs any more go. Nothing to do when it is not on trial. */
int prove_good(struct versioned *v, struct err *e);

/* Look until it is well, then prove_good(). When it is not within `limit_s`
 * this is noted and the machine starts again, which counts. ERR_SYS when not
 * even that could be done. */
int prove_wait(struct versioned *v, int limit_s, struct err *e);

/* Let the system below `root` do this when it starts, if it has systemd: its
 * unit, and a watchdog where the machine has one. */
int prove_install(const char *root, struct err *e);

#endif
