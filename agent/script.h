#ifndef AGENT_SCRIPT_H
#define AGENT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* Runs the configure script of a profile: Lua with the words of docs/lua.md.
 * The script decides; what it decided is in the result. Not thread-safe: a
 * process runs one script at a time. */
#define SCRIPT_MAX_BYTES (16u * 1024 * 1024)
#define SCRIPT_MEMORY_BYTES (64u * 1024 * 1024)

/* What the script may see and where its words go. Callbacks may be NULL. */
struct script_env {
	/* Text that is this machine's alone and stays so, for instance its id,
	 * UUID and serial joined: what disk.label and disk.format leave on
	 * disks is derived from it (agent/guard.h). NULL or "": nothing is
	 * recognised as this machine's. */
	const char *identity;
	const char *chroot;     /* the new root is mounted here: /chroot */
	const char *post_rsync; /* config() writes below: /post_rsync */
	const char *sys_root;   /* disks are looked up below: "" */
	size_t memory_bytes;    /* cap of the Lua heap; 0: 64 MiB */
	int deadline_ms;        /* of the whole script; 0: none */

	/* A line for the log: "+ command", log(), print(). No newline. */
	void (*say)(void *ctx, const char *line);
	/* What commands say, as it comes. */
	void (*output)(void *ctx, const char *bytes, size_t len);
	/* "disks", before the first byte is written to one. */
	void (*phase)(void *ctx, const char *phase);
	/* A few times a second; non-zero cancels the script. */
	int (*tick)(void *ctx);
	void *ctx;
};

/* A place that the script mounted. All texts but `uuid` are never NULL. */
struct script_mount {
	char *node;    /* /dev/vda2 */
	char *where;   /* in the installed system: "/", "/boot"; "none": swap */
	char *fstype;  /* ext4, swap */
	char *options; /* for fstab: "defaults" */
	char *uuid;    /* of the file system, NULL when it has none */
};

/* What went wrong, for the report. `command` is NULL when no command failed;
 * `line` 0 when no line of the script was at fault. */
struct script_failure {
	char *command; /* as the log shows it */
	int status;    /* its exit code, 128 + signal */
	char *tail;    /* the last lines it said */
	char *file;    /* vm.configure */
	int line;      /* the operator's own line number */
};

struct script_result {
	bool boot_local; /* boot_local() was called: nothing else counts */
	char *role, *version, *disk; /* set_role(); disk is /dev/vda */
	char *tree_from;             /* tree_from(): "rsync", a URL, or NULL */
	char *layout;                /* layout(): its name, or NULL */
	char *profile;               /* var['edeploy-profile'], or NULL */
	char *metadata_url;          /* var.metadata_url, or NULL */
	char *grub_options;          /* "" when none */
	char *modules;               /* lines for /etc/modules, "" when none */
	char *passwords;             /* lines USER:HASH, "" when none */
	struct script_mount *mounts; /* in the order of mounting */
	size_t mounts_len;
	struct script_failure failure;
};

/* Run the text that the server sent (docs/wire.md: three lines of header, of
 * which the third names the file in messages; or a text without them, then
 * `name` does). Text only, no bytecode. When it returns 0 the script ended
 * well and either boot_local is set or role, version and disk are.
 * ERR_INPUT: the script is at fault; ERR_SYS: a command failed or the kernel
 * said no; ERR_REFUSED: a disk holds something unknown, or the run was
 * cancelled. The text of `e` starts with "FILE:LINE: ", out->failure tells
 * more, and what disk.mount() mounted is unmounted again. Clear `out` with
 * script_result_clear in any case. */
int script_run(const struct script_env *env, const char *name, const char *text,
	       size_t len, struct script_result *out, struct err *e);

void script_result_clear(struct script_result *r);

/* `edeploy-agent lint FILE [--json]`: compile without running; print errors
 * with their line and which names of `var` are used. Exit 0 good, 1 not. */
int lint_main(int argc, char **argv);

#endif
