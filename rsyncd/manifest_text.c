/* Writing a manifest: the one spelling that manifest_read.c takes. */
#include "rsyncd/manifest_form.h"

static const struct {
	char type;
	const char *fields;
} forms[] = {
	{ 'd', "motp" },  { 'f', "mots#p" }, { 'h', "pl" },   { 'l', "otpl" },
	{ 'c', "motrp" }, { 'b', "motrp" },  { 'p', "motp" },
};

const char *
manifest_fields(char type)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(forms); i++)
		if (forms[i].type == type)
			return forms[i].fields;
	return NULL;
}

void
manifest_escape(const char *bytes, struct buf *out)
{
	const unsigned char *c, *from = (const unsigned char *)bytes;

	for (c = from; *c; c++) {
		if (*c > 0x20 && *c != 0x7f && *c != '\\')
			continue;
		buf_add(out, from, (size_t)(c - from));
		buf_printf(out, "\\x%02x", *c);
		from = c + 1;
	}
	buf_add(out, from, (size_t)(c - from));
}

static void
write_hex(const unsigned char *bytes, size_t len, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";
	char *at = buf_room(out, 2 * len);
	size_t i;

	for (i = 0; i < len; i++) {
		at[2 * i] = digits[bytes[i] >> 4];
		at[2 * i + 1] = digits[bytes[i] & 15];
	}
	out->len += 2 * len;
}

static void
write_field(char field, const struct manifest_entry *x, struct buf *out)
{
	switch (field) {
	case 'm':
		buf_printf(out, "%o", (unsigned)x->mode);
		break;
	case 'o':
		buf_printf(out, "%u %u", (unsigned)x->uid, (unsigned)x->gid);
		break;
	case 't':
		buf_printf(out, "%lld.%09u", (long long)x->mtime_s,
			   (unsigned)x->mtime_ns);
		break;
	case 's':
		buf_printf(out, "%llu", (unsigned long long)x->size);
		break;
	case '#':
		write_hex(x->hash.b, sizeof(x->hash.b), out);
		break;
	case 'r':
		buf_printf(out, "%u %u", (unsigned)x->major,
			   (unsigned)x->minor);
		break;
	default:
		manifest_escape(field == 'p' ? x->path : x->link, out);
	}
}

static void
write_entry(const struct manifest_entry *x, struct buf *out)
{
	const char *field;
	size_t i;

	buf_char(out, x->type);
	for (field = manifest_fields(x->type); *field; field++) {
		buf_char(out, ' ');
		write_field(*field, x, out);
	}
	if (x->sparse)
		buf_str(out, " sparse");
	for (i = 0; i < x->xattrs_len; i++) {
		buf_str(out, " xattr:");
		manifest_escape(x->xattrs[i].name, out);
		buf_char(out, '=');
		write_hex(x->xattrs[i].value, x->xattrs[i].len, out);
	}
	buf_char(out, '\n');
}

void
manifest_write(const struct manifest *m, struct buf *out)
{
	size_t i;

	buf_printf(out,
		   "edeploy-manifest 1\nhash " DIGEST_NAME "\n"
		   "entries %zu\nbytes %llu\n",
		   m->len, (unsigned long long)m->bytes);
	for (i = 0; i < m->len; i++)
		write_entry(&m->entry[i], out);
}
