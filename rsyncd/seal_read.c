/* Seals and HEADs are read word by word, then written again from what was
 * read: bytes other than those are refused. */
#include <string.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/num.h"

#include "rsyncd/seal.h"

#define SEAL_LINE 1024
#define WORDS_MAX 8
#define SIZE_MAX_64 ((uint64_t)INT64_MAX)

struct reader {
	const char *at, *end, *name;
	size_t line;
	struct err *e;
	char text[SEAL_LINE]; /* the words point into it */
	char *word[WORDS_MAX];
	int words;
};

static int
bad(struct reader *r, const char *what)
{
	return err_set(r->e, ERR_INPUT, "%s:%zu: %s", r->name, r->line, what);
}

static int
split(struct reader *r, const char *tag)
{
	char *at = r->text, *blank;

	for (r->words = 0; r->words < WORDS_MAX; at = blank + 1) {
		r->word[r->words++] = at;
		blank = strchr(at, ' ');
		if (!blank)
			return 0;
		*blank = '\0';
	}
	return err_set(r->e, ERR_INPUT, "%s:%zu: too many words after '%s'",
		       r->name, r->line, tag);
}

/* The next line, which is `tag` and so many words. */
static int
take(struct reader *r, const char *tag, int words)
{
	size_t left = (size_t)(r->end - r->at), len;
	const char *newline = memchr(r->at, '\n', left);

	r->line++;
	len = newline ? (size_t)(newline - r->at) : 0;
	if (!newline || len >= SEAL_LINE)
		return err_set(r->e, ERR_INPUT,
			       "%s:%zu: ends where '%s' should stand", r->name,
			       r->line, tag);
	memcpy(r->text, r->at, len);
	r->text[len] = '\0';
	r->at = newline + 1;
	if (split(r, tag) < 0)
		return -1;
	if (!str_eq(r->word[0], tag) || r->words != words + 1)
		return err_set(r->e, ERR_INPUT,
			       "%s:%zu: '%s' with %d words should stand here",
			       r->name, r->line, tag, words);
	return 0;
}

static bool
comes(const struct reader *r, const char *head)
{
	size_t n = strlen(head);

	return (size_t)(r->end - r->at) > n && memcmp(r->at, head, n) == 0;
}

static int
take_number(struct reader *r, int word, uint64_t min, uint64_t max,
	    uint64_t *out)
{
	struct err why = { 0 };

	if (num_u64(r->word[word], min, max, out, r->word[0], &why) < 0)
		return bad(r, why.text);
	return 0;
}

static int
take_name(struct reader *r, int word, char out[SEAL_NAME])
{
	if (!name_is_safe(r->word[word]))
		return bad(r, "not a name of A-Z a-z 0-9 . _ -");
	memcpy(out, r->word[word], strlen(r->word[word]) + 1);
	return 0;
}

static int
take_hex(struct reader *r, int word, char out[HASH_HEX])
{
	struct digest d;

	if (digest_read(&d, r->word[word]) < 0)
		return bad(r, "not a hash");
	memcpy(out, r->word[word], HASH_HEX);
	return 0;
}

static int
take_one_number(struct reader *r, const char *tag, uint64_t *out)
{
	return take(r, tag, 1) < 0 ? -1
				   : take_number(r, 1, 1, SIZE_MAX_64, out);
}

/* Role and version: what a seal and a HEAD begin with. */
static int
take_names(struct reader *r, char role[SEAL_NAME], char version[SEAL_NAME])
{
	return take(r, "role", 1) < 0 || take_name(r, 1, role) < 0 ||
			       take(r, "version", 1) < 0 ||
			       take_name(r, 1, version) < 0
		       ? -1
		       : 0;
}

/* 2026-11-21T12:00:00Z, digit for digit. */
static int
take_date(struct reader *r, char out[21])
{
	static const char shape[] = "0000-00-00T00:00:00Z";
	size_t i;

	if (take(r, "date", 1) < 0)
		return -1;
	for (i = 0; i < sizeof(shape); i++) {
		char c = r->word[1][i];

		if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i])
			return bad(r, "not a date like 2026-11-21T12:00:00Z");
		out[i] = c;
	}
	return 0;
}

/* ROLE/VERSION/NAME; `own`: of this seal's. */
static int
take_path(struct reader *r, const struct seal *s, bool own, char out[SEAL_FILE])
{
	AUTO_FREE char *part = base_strdup(r->word[1]);
	AUTO_FREE char *folder = base_printf("%s/%s/", s->role, s->version);
	char *version = strchr(part, '/'), *file;
	size_t len = strlen(r->word[1]);

	file = version ? strchr(version + 1, '/') : NULL;
	if (!file || len >= SEAL_FILE)
		return bad(r, "not a path like ROLE/VERSION/FILE");
	*version++ = '\0';
	*file++ = '\0';
	if (!name_is_safe(part) || !name_is_safe(version) || file[0] == '.' ||
	    file[0] == '\0' ||
	    file[strspn(file, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
			      "uvwxyz0123456789._-")] != '\0')
		return bad(r, "not a path like ROLE/VERSION/FILE");
	if (own && !str_starts(r->word[1], folder))
		return bad(r, "a file of another version");
	memcpy(out, r->word[1], len + 1);
	return 0;
}

/* FILE SIZE TABLE HASH RAW */
static int
take_file(struct reader *r, const struct seal *s, uint64_t raw_max, bool own,
	  struct seal_file *out)
{
	struct table_place *p = &out->place;

	if (take_path(r, s, own, out->path) < 0 ||
	    take_number(r, 2, 1, SIZE_MAX_64, &p->size) < 0 ||
	    take_number(r, 3, 0, p->size - 1, &p->at) < 0 ||
	    take_number(r, 5, 1, raw_max, &p->raw) < 0)
		return -1;
	if (digest_read(&p->hash, r->word[4]) < 0)
		return bad(r, "not a hash");
	return 0;
}

/* FILE SIZE HASH RAW */
static int
take_manifest(struct reader *r, struct seal *s)
{
	struct table_place *p = &s->manifest.place;

	if (take(r, "manifest", 4) < 0 ||
	    take_path(r, s, true, s->manifest.path) < 0 ||
	    take_number(r, 2, 1, SIZE_MAX_64, &p->size) < 0 ||
	    take_number(r, 4, 1, MANIFEST_TEXT_MAX, &p->raw) < 0)
		return -1;
	if (digest_read(&p->hash, r->word[3]) < 0)
		return bad(r, "not a hash");
	return 0;
}

static int
take_full(struct reader *r, struct seal *s)
{
	struct seal_file f = { 0 };

	if (take(r, "full", 5) < 0 ||
	    take_file(r, s, PACK_TABLE_MAX, false, &f) < 0)
		return -1;
	s->full = base_resize(s->full, s->fulls + 1, sizeof(f));
	s->full[s->fulls++] = f;
	return 0;
}

static int
take_delta(struct reader *r, struct seal *s)
{
	struct seal_file f = { 0 };

	if (take(r, "delta", 7) < 0 ||
	    take_file(r, s, SEAL_TABLE_MAX, true, &f) < 0 ||
	    take_name(r, 6, f.from_version) < 0 ||
	    take_hex(r, 7, f.from_root) < 0)
		return -1;
	if (str_eq(f.from_version, s->version))
		return bad(r, "a delta from itself");
	s->delta = base_resize(s->delta, s->deltas + 1, sizeof(f));
	s->delta[s->deltas++] = f;
	return 0;
}

static int
take_files(struct reader *r, struct seal *s)
{
	if (take_manifest(r, s) < 0)
		return -1;
	while (comes(r, "full "))
		if (take_full(r, s) < 0)
			return -1;
	while (comes(r, "delta "))
		if (take_delta(r, s) < 0)
			return -1;
	if (comes(r, "marks ") &&
	    (take(r, "marks", 5) < 0 ||
	     take_file(r, s, SEAL_TABLE_MAX, true, &s->marks) < 0))
		return -1;
	return 0;
}

static int
take_root(struct reader *r, struct seal *s)
{
	return take(r, "root", 3) < 0 || take_hex(r, 1, s->root) < 0 ||
			       take_number(r, 2, 1, MANIFEST_ENTRIES_MAX,
					   &s->entries) < 0 ||
			       take_number(r, 3, 0, SIZE_MAX_64, &s->bytes) < 0
		       ? -1
		       : 0;
}

static int
take_body(struct reader *r, struct seal *s)
{
	if (take(r, "edeploy-seal", 1) < 0 || take(r, "hash", 1) < 0)
		return -1;
	if (!str_eq(r->word[1], DIGEST_NAME))
		return bad(r, "a hash that this program does not know (it "
			      "wants " DIGEST_NAME "): publish it again, both "
			      "with programs of one version");
	return take_names(r, s->role, s->version) < 0 ||
			       take_one_number(r, "serial", &s->serial) < 0 ||
			       take_one_number(r, "revision", &s->revision) <
				       0 ||
			       take_date(r, s->date) < 0 ||
			       take_root(r, s) < 0 || take_files(r, s) < 0
		       ? -1
		       : 0;
}

/* The text up to here is what `body` would write. */
static int
check_spelling(struct reader *r, const char *text, const char *body)
{
	size_t len = (size_t)(r->at - text);

	if (strlen(body) == len && memcmp(text, body, len) == 0)
		return 0;
	return err_set(r->e, ERR_INPUT, "%s: another spelling than its own",
		       r->name);
}

struct signature {
	char key[SIGN_ID], text[SIGN_TEXT];
	size_t signed_len; /* bytes before the line `sign` */
};

/* Both last lines, and nothing behind them. */
static int
take_signature(struct reader *r, const char *text, struct signature *out)
{
	if (take(r, "key", 1) < 0)
		return -1;
	if (strspn(r->word[1], "0123456789abcdef") != SIGN_ID - 1 ||
	    r->word[1][SIGN_ID - 1] != '\0')
		return bad(r, "not the id of a key");
	memcpy(out->key, r->word[1], SIGN_ID);
	out->signed_len = (size_t)(r->at - text);
	if (take(r, "sign", 1) < 0)
		return -1;
	if (strlen(r->word[1]) != SIGN_TEXT - 1)
		return bad(r, "not a signature");
	memcpy(out->text, r->word[1], SIGN_TEXT);
	return 0;
}

static int
check_end(struct reader *r)
{
	if (r->at == r->end)
		return 0;
	r->line++;
	return bad(r, "more than belongs there");
}

static int
begin(struct reader *r, const char *text, size_t len, size_t max,
      const char *name, struct err *e)
{
	*r = (struct reader){
		.at = text, .end = text + len, .name = name, .e = e
	};
	if (len > max)
		return err_set(e, ERR_INPUT, "%s: larger than %zu bytes", name,
			       max);
	if (memchr(text, '\0', len))
		return err_set(e, ERR_INPUT, "%s: has a NUL byte", name);
	return 0;
}

/* A body, its spelling checked; the reader stands behind it. */
static int
read_body(struct reader *r, struct seal **out, const char *text)
{
	AUTO(seal) s = base_alloc(sizeof(*s));
	AUTO_FREE char *body = NULL;

	if (take_body(r, s) < 0)
		return -1;
	body = seal_text(s);
	if (check_spelling(r, text, body) < 0)
		return -1;
	*out = STEAL(s);
	return 0;
}

int
seal_read(struct seal **out, const char *text, size_t len,
	  const struct sign_trust *trust, const char *name, struct err *e)
{
	AUTO(seal) s = NULL;
	struct signature sign;
	struct reader r;

	if (begin(&r, text, len, SEAL_TEXT_MAX, name, e) < 0 ||
	    read_body(&r, &s, text) < 0 ||
	    (trust && take_signature(&r, text, &sign) < 0) || check_end(&r) < 0)
		return -1;
	if (trust && sign_check(trust, sign.key, sign.text, text,
				sign.signed_len, e) < 0)
		return err_add(e, "%s", name);
	*out = STEAL(s);
	return 0;
}

int
seal_peek(struct seal **out, const char *text, size_t len, char key[SIGN_ID],
	  const char *name, struct err *e)
{
	AUTO(seal) s = NULL;
	struct signature sign = { 0 };
	struct reader r;

	if (begin(&r, text, len, SEAL_TEXT_MAX, name, e) < 0 ||
	    read_body(&r, &s, text) < 0 ||
	    (r.at != r.end && take_signature(&r, text, &sign) < 0) ||
	    check_end(&r) < 0)
		return -1;
	memcpy(key, sign.key, SIGN_ID);
	*out = STEAL(s);
	return 0;
}

/* ---- HEAD ---- */

static int
take_head(struct reader *r, struct head *h)
{
	return take(r, "edeploy-head", 1) < 0 ||
			       take_names(r, h->role, h->version) < 0 ||
			       take_one_number(r, "serial", &h->serial) < 0 ||
			       take_one_number(r, "revision", &h->revision) <
				       0 ||
			       take(r, "root", 1) < 0 ||
			       take_hex(r, 1, h->root) < 0 ||
			       take(r, "seal", 1) < 0 ||
			       take_hex(r, 1, h->seal) < 0
		       ? -1
		       : 0;
}

static int
read_head(struct head *out, struct signature *sign, const char *text,
	  size_t len, const char *name, struct err *e)
{
	AUTO_FREE char *body = NULL;
	struct head h = { 0 };
	struct reader r;

	if (begin(&r, text, len, HEAD_TEXT_MAX, name, e) < 0 ||
	    take_head(&r, &h) < 0)
		return -1;
	body = head_text(&h);
	if (check_spelling(&r, text, body) < 0 ||
	    take_signature(&r, text, sign) < 0 || check_end(&r) < 0)
		return -1;
	*out = h;
	return 0;
}

int
head_read(struct head *out, const char *text, size_t len,
	  const struct sign_trust *trust, const char *name, struct err *e)
{
	struct signature sign;
	struct head h;

	if (read_head(&h, &sign, text, len, name, e) < 0)
		return -1;
	if (sign_check(trust, sign.key, sign.text, text, sign.signed_len, e) <
	    0)
		return err_add(e, "%s", name);
	*out = h;
	return 0;
}

int
head_peek(struct head *out, const char *text, size_t len, char key[SIGN_ID],
	  const char *name, struct err *e)
{
	struct signature sign;

	if (read_head(out, &sign, text, len, name, e) < 0)
		return -1;
	memcpy(key, sign.key, SIGN_ID);
	return 0;
}
