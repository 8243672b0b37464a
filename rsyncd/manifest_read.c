/* Reading a manifest. Each line is read by the fields of its type; what is
 * accepted has one spelling only, so the text that was read is also what
 * would be written, and its hash is the root. */
#include "rsyncd/manifest_form.h"
#include "rsyncd/scan.h"

#define LINE_MIN 6 /* "h a b" and a newline; bounds the room asked for */
#define WORD_MAX 4096

struct reader {
	struct scan s;
	struct manifest *m;
	struct manifest_check check;
	struct manifest_xattr xattr[MANIFEST_XATTRS_MAX];
	char plain[WORD_MAX];
};

/* One byte of a word whose \xHH are undone; only bytes that need it have one.
 * -1 when that is not so. */
static int
next_byte(const char **at, const char *end)
{
	const char *c = *at;
	int hi, lo, byte;

	if (*c != '\\') {
		*at = c + 1;
		return (unsigned char)*c;
	}
	if (end - c < 4 || c[1] != 'x')
		return -1;
	hi = scan_hex_digit(c[2]);
	lo = scan_hex_digit(c[3]);
	if (hi < 0 || lo < 0)
		return -1;
	byte = hi << 4 | lo;
	if (byte == 0 || (byte > 0x20 && byte != 0x7f && byte != '\\'))
		return -1;
	*at = c + 4;
	return byte;
}

/* A copy of a word as it is meant, or "" when it cannot be. */
static const char *
plain_copy(struct reader *r, const char *word, size_t len, const char *what)
{
	const char *at = word, *end = word + len;
	size_t n = 0;

	if (!memchr(word, '\\', len) && len < WORD_MAX)
		return arena_copy(r->m->pool->arena, word, len);
	while (at < end && n < WORD_MAX - 1) {
		int byte = next_byte(&at, end);

		if (byte < 0) {
			scan_fail(&r->s,
				  "%s has a \\ that is none of "
				  "\\x01 to \\x20, \\x5c, \\x7f",
				  what);
			return "";
		}
		r->plain[n++] = (char)byte;
	}
	if (at < end)
		scan_fail(&r->s, "%s is too long", what);
	return arena_copy(r->m->pool->arena, r->plain, n);
}

static const char *
read_plain(struct reader *r, const char *what)
{
	const char *word;
	size_t len = scan_word(&r->s, &word, what);

	return len > 0 ? plain_copy(r, word, len, what) : "";
}

static mode_t
read_mode(struct scan *s)
{
	const char *begin = s->at;
	mode_t mode = 0;
	int n;

	for (n = 0; n < 4 && s->at < s->end; n++) {
		if (*s->at < '0' || *s->at > '7')
			break;
		mode = mode << 3 | (mode_t)(*s->at++ - '0');
	}
	if (n == 0 || (*begin == '0' && n > 1))
		scan_fail(s, "the mode is not octal as it should be written");
	return mode;
}

static void
read_time(struct scan *s, struct manifest_entry *x)
{
	bool before = scan_try(s, "-");
	int n;

	x->mtime_s = (int64_t)scan_number(s, TIME_S_MAX, "the time");
	if (before && x->mtime_s == 0)
		scan_fail(s, "the time is -0");
	if (before)
		x->mtime_s = -x->mtime_s;
	scan_text(s, ".");
	for (n = 0; n < 9 && s->at < s->end; n++) {
		if (*s->at < '0' || *s->at > '9')
			break;
		x->mtime_ns = x->mtime_ns * 10 + (uint32_t)(*s->at++ - '0');
	}
	if (n < 9)
		scan_fail(s, "the time has not nine digits behind its dot");
}

static void
read_field(struct reader *r, char field, struct manifest_entry *x)
{
	struct scan *s = &r->s;

	switch (field) {
	case 'm':
		x->mode = read_mode(s);
		break;
	case 'o':
		x->uid = (uid_t)scan_number(s, ID_MAX, "the user");
		scan_blank(s);
		x->gid = (gid_t)scan_number(s, ID_MAX, "the group");
		break;
	case 't':
		read_time(s, x);
		break;
	case 's':
		x->size = scan_number(s, INT64_MAX, "the size");
		break;
	case '#':
		scan_digest(s, &x->hash, "the hash");
		break;
	case 'r':
		x->major = (uint32_t)scan_number(s, MAJOR_MAX, "major");
		scan_blank(s);
		x->minor = (uint32_t)scan_number(s, MINOR_MAX, "minor");
		break;
	case 'p':
		x->path = read_plain(r, "the path");
		break;
	default:
		x->link = read_plain(r, "the link");
	}
}

static void
read_xattr(struct reader *r, struct manifest_xattr *x)
{
	struct scan value = r->s;
	const char *word, *sign;
	size_t len = scan_word(&r->s, &word, "an extended attribute");
	unsigned char *bytes;

	sign = len > 0 ? memrchr(word, '=', len) : NULL;
	if (!sign || sign == word || (word + len - sign) % 2 == 0) {
		scan_fail(&r->s, "an extended attribute is not NAME=HEX");
		return;
	}
	x->name = plain_copy(r, word, (size_t)(sign - word),
			     "an extended attribute");
	x->len = (size_t)(word + len - sign - 1) / 2;
	if (x->len > MANIFEST_XATTR_BYTES_MAX) {
		scan_fail(&r->s, "an extended attribute is too large");
		return;
	}
	bytes = arena_array(r->m->pool->arena, x->len, 1);
	value.at = sign + 1;
	scan_hex(&value, bytes, x->len, "an extended attribute's value");
	if (value.bad) {
		r->s.bad = true;
		r->s.at = r->s.end;
	}
	x->value = bytes;
}

static void
read_xattrs(struct reader *r, struct manifest_entry *x)
{
	size_t n = 0, size = sizeof(*x->xattrs);
	struct manifest_xattr *all;

	while (scan_try(&r->s, " xattr:")) {
		if (n == MANIFEST_XATTRS_MAX) {
			scan_fail(&r->s, "more than %d extended attributes",
				  MANIFEST_XATTRS_MAX);
			return;
		}
		r->xattr[n] = (struct manifest_xattr){ 0 };
		read_xattr(r, &r->xattr[n++]);
	}
	if (n == 0 || r->s.bad)
		return;
	all = arena_array(r->m->pool->arena, n, size);
	memcpy(all, r->xattr, n * size);
	x->xattrs = all;
	x->xattrs_len = (uint8_t)n;
}

static int
read_entry(struct reader *r, size_t i)
{
	struct manifest_entry *x = &r->m->entry[i];
	const char *field, *wrong;

	x->type = r->s.at < r->s.end ? *r->s.at++ : '?';
	field = manifest_fields(x->type);
	if (!field)
		return scan_fail(&r->s, "no line of d, f, h, l, c, b or p");
	x->mode = x->type == 'l' ? 0777 : 0;
	for (; *field; field++) {
		scan_blank(&r->s);
		read_field(r, *field, x);
	}
	if (x->type == 'f')
		x->sparse = scan_try(&r->s, " sparse");
	read_xattrs(r, x);
	if (r->s.bad)
		return -1;
	wrong = manifest_check_entry(&r->check, i);
	if (wrong)
		return scan_fail(&r->s, "%s", wrong);
	scan_newline(&r->s);
	return r->s.bad ? -1 : 0;
}

static int
read_lines(struct reader *r)
{
	struct manifest *m = r->m;
	size_t len, i;

	scan_text(&r->s, "edeploy-manifest 1\n");
	scan_text(&r->s, "hash " DIGEST_NAME "\n");
	len = scan_count(&r->s, "entries", LINE_MIN);
	scan_text(&r->s, "bytes ");
	m->bytes = scan_number(&r->s, UINT64_MAX, "bytes");
	scan_newline(&r->s);
	if (!r->s.bad && (len == 0 || len > MANIFEST_ENTRIES_MAX))
		return scan_fail(&r->s, "not between 1 and %d entries",
				 MANIFEST_ENTRIES_MAX);
	if (r->s.bad)
		return -1;
	m->entry = base_array(len, sizeof(*m->entry));
	for (i = 0; i < len; i++, m->len++)
		if (read_entry(r, i) < 0)
			return -1;
	if (r->check.bytes != m->bytes)
		return scan_fail(&r->s,
				 "files have %llu bytes, the header says %llu",
				 (unsigned long long)r->check.bytes,
				 (unsigned long long)m->bytes);
	return scan_end(&r->s);
}

int
manifest_parse(struct manifest **out, const char *text, size_t len,
	       const char *name, struct err *e)
{
	AUTO(manifest) m = manifest_new();
	AUTO_FREE struct reader *r = base_alloc(sizeof(*r));

	if (len > MANIFEST_TEXT_MAX)
		return err_set(e, ERR_INPUT, "%s: more than %lu bytes", name,
			       MANIFEST_TEXT_MAX);
	r->m = m;
	scan_begin(&r->s, text, len, name, e);
	manifest_check_begin(&r->check, m);
	if (read_lines(r) < 0)
		return -1;
	m->text = base_strndup(text, len);
	m->text_len = len;
	digest_hex_of(m->text, len, m->root);
	*out = STEAL(m);
	return 0;
}
