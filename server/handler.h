#ifndef SERVER_HANDLER_H
#define SERVER_HANDLER_H

#include "server/app.h"

#define LOG_MAX_BYTES (64ULL * 1024 * 1024) /* of one run */
#define EVENTS_MAX_BYTES (256 * 1024)
#define EVENTS_MAX 1000
#define REPLAY_MAX_BYTES (64u * 1024 * 1024)
#define FORM_MAX_BYTES (LOG_MAX_BYTES + 64 * 1024)

/* One handler: a finished request in, its reply out. `arg` is the decoded "*"
 * of the pattern, or NULL. */
typedef void handler(struct app *a, const struct request *r, const char *arg,
		     struct reply *out);

handler upload_post;     /* upload.c */
handler old_upload_post; /* old_upload.c */
handler old_upload_get;
handler run_events_post; /* run.c */
handler run_log_put;
handler run_check;       /* by headers alone: status 0 when the run is right */
handler boot_script_get; /* boot_script.c */
handler boot_file_get;   /* boot_file.c */
handler trees_get;       /* trees.c */
handler machines_get;    /* machines.c */
handler machine_get;
handler machine_reinstall;
handler machine_release;
handler machine_same;
handler machine_distinct;
handler machine_forget;
handler machine_explain;
handler explain_post;
handler problems_get;
handler cmdb_get;
handler state_get;
handler feed_get;
handler replay_post; /* replay.c */

/* What both forms of an upload share: the decision's outcome as a reply,
 * without the texts for a person when there is no script. */
void upload_reply(struct site_reply *s, struct reply *out);

#endif
