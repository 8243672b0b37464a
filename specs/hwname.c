/* Names of .hw files, spelled as the first eDeploy did, except that every part
 * is cleaned: a MAC is text that a machine sent, not a piece of a path. */
#include <ctype.h>

#include "specs/hwname.h"
#include "lib/buf.h"

/* Letters, digits and '_' are kept; of a MAC, ':' becomes '-'. */
static void
add_clean(struct buf *out, const char *text, const char *dashes)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x80 && (isalnum(c) || c == '_'))
			buf_char(out, (char)c);
		else if (strchr(dashes, c))
			buf_char(out, '-');
	}
}

static void
add_part(struct buf *out, const char *text)
{
	if (!text)
		return;
	add_clean(out, text, "");
	buf_char(out, '-');
}

char *
hw_name(const struct facts *f)
{
	const char *product = facts_find(f, "system", "product", "name");
	const char *mac = facts_find(f, "network", NULL, "serial");
	AUTO_CLEAR(buf) name = { 0 };

	if (!product)
		product = facts_find(f, "system", "product", "vendor");
	add_part(&name, product);
	add_part(&name, facts_find(f, "system", "product", "serial"));
	if (mac)
		add_clean(&name, mac, ":-");
	if (name.len > HWNAME_MAX)
		return base_strndup(name.at, HWNAME_MAX);
	return strspn(buf_text(&name), "-") == name.len ? base_strdup("unknown")
							: buf_take(&name);
}
