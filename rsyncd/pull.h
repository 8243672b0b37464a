#ifndef RSYNCD_PULL_H
#define RSYNCD_PULL_H

#include "rsyncd/seal.h"
#include "rsyncd/source.h"

/* Bring one published version into a folder, from nothing or from what another
 * folder holds, and know that it is right. The folder is complete and durable
 * (one syncfs) when pull returns 0; before that it must not be used.
 * Called again after any failure it goes on: what is there and right is kept.
 * File systems may be mounted below: each is made durable, and a hard link from
 * one to another becomes a copy. */

enum pull_share {
	PULL_COPY,    /* unchanged files of the base are copied */
	PULL_REFLINK, /* share blocks; copied where that cannot be */
	PULL_LINK     /* the same inode where owner, mode, times and attributes
			 are equal: only for files that nobody writes into. It
			 is hashed unless the base's record is younger than its
			 ctime: then it is as the pull left it that hashed it.
		       */
};

struct pull_progress {
	const char *stage; /* "look", "fetch", "verify", "sync" */
	double percent;
	uint64_t bytes, bytes_all;  /* over the wire */
	int64_t bytes_per_s, eta_s; /* eta_s -1: unknown */
};

struct pull_opts {
	struct source_opts source;
	const struct sign_trust *trust;
	const char *role;
	const char *version;     /* NULL: what ROLE/HEAD names */
	const char *into;        /* made if it is not there */
	const char *base;        /* a folder, or NULL */
	const char *base_record; /* where the base's record is; NULL, or one
				    that cannot be believed: the base is looked
				    through instead */
	const char *record; /* folder to keep seal and manifest in, or NULL */
	/* what either record names, also one that cannot be believed or was
	 * left by a pull that broke, is the oldest that is taken */
	/* How the file at this path may be shared; NULL: all as share says. */
	enum pull_share (*share_of)(void *ctx, const char *path);
	enum pull_share share;
	uint64_t serial_min; /* refuse what is below */
	bool allow_downgrade;
	bool dry_run;     /* say what would be done, write nothing */
	bool record_only; /* bring the record, and look at no folder */
	bool strict;      /* remove what is in `into` and not in the tree */
	bool hash_all; /* read also what PULL_LINK shares and nobody touched */
	bool keep;   /* let it stay: other file systems may be mounted below */
	int threads; /* that decode and write; 0: 2 */
	/* Where the tree's manifest goes, which the caller owns then; stays as
	 * it is when the folder was complete already. May be NULL. */
	struct manifest **tree;
	void (*progress)(void *ctx, const struct pull_progress *p);
	void *ctx;
};

enum pull_way { PULL_NOTHING, PULL_FULL, PULL_DELTA, PULL_CHAIN, PULL_FRAMES };

struct pull_result {
	enum pull_way way;
	char version[SEAL_NAME], root[HASH_HEX];
	uint64_t serial;
	uint64_t files, bytes;                     /* of the tree */
	uint64_t shared, copied, patched, fetched; /* files, by where their
						      content came from */
	uint64_t drifted; /* files of the base that were not as recorded */
	uint64_t marks;   /* files mended by signature */
	uint64_t wire;    /* bytes fetched; dry_run: to be fetched */
};

/* ERR_REFUSED: signature, serial, or a folder that is not ours to fill;
 * ERR_PEER: the source has it not, or damaged beyond repeat; ERR_SYS: it
 * could not be written (no room: said before the first byte is written where
 * it can be known). */
int pull(const struct pull_opts *opts, struct pull_result *out, struct err *e);

/* ---- verify ---- */

struct verify_opts {
	const char *dir;
	const struct manifest *manifest;
	bool quick; /* sizes, times, modes: contents are not read */
	int threads;
	/* Each difference: path, and what it is, for a person. */
	void (*differs)(void *ctx, const char *path, const char *what);
	/* Something not in the manifest; NULL: strangers are not looked for. */
	void (*stranger)(void *ctx, const char *path);
	void (*progress)(void *ctx, uint64_t bytes, uint64_t all);
	void *ctx;
};

/* How many differences, strangers not counted; -1: ERR_SYS. */
int64_t verify(const struct verify_opts *opts, struct err *e);

/* The record that pull keeps: `folder`/seal (signed) and `folder`/manifest.zst.
 * Checked against `trust`. 0: none there. 1: read. -1: ERR_*. */
int record_read(const char *folder, const struct sign_trust *trust,
		struct seal **seal, struct manifest **manifest, struct err *e);
/* The same with the manifest's text, which is the one that the seal names, of
 * seal->manifest.place.raw bytes. */
int record_text(const char *folder, const struct sign_trust *trust,
		struct seal **seal, char **manifest, struct err *e);
int record_write(const char *folder, const char *seal_text,
		 const void *manifest_zst, size_t len, struct err *e);
/* The folder becomes something else: its record counts for nothing from now on,
 * but that nothing older may come there. */
void record_forget(const char *folder);
/* Which version that is, believed or not: for such a bound. 0: none there. */
int record_peek(const char *folder, struct seal **seal);

#endif
