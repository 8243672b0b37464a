/* Who a machine is: values from firmware that lie in many known ways. */
#include <ctype.h>
#include <stdio.h>

#include "cmdb/identity.h"
#include "lib/buf.h"

/* What boards say instead of a serial or UUID, lower case. */
static const char *const junk[] = {
	"to be filled by o.e.m.",
	"to be filled by oem",
	"o.e.m.",
	"oem",
	"default string",
	"system serial number",
	"chassis serial number",
	"base board serial number",
	"serial number",
	"serial",
	"none",
	"null",
	"n/a",
	"na",
	"not specified",
	"not applicable",
	"not available",
	"not present",
	"unknown",
	"invalid",
	"empty",
	"x",
	"xxxxxxx",
	"0123456789",
	"123456789",
	"1234567890",
	"12345678",
	"1234567",
	"sernum0",
	"mb-1234567890",
	"system uuid",
	"03000200-0400-0500-0006-000700080009",
	"12345678-1234-5678-90ab-cddeefaabbcc",
};

/* Nothing but `c` and punctuation. */
static bool
only(const char *text, char c)
{
	for (; *text; text++)
		if (isalnum((unsigned char)*text) && *text != c)
			return false;
	return true;
}

static bool
is_junk(const char *text)
{
	size_t i;

	if (only(text, '0') || only(text, 'f') || only(text, 'x'))
		return true;
	for (i = 0; i < ARRAY_LEN(junk); i++)
		if (str_eq(text, junk[i]))
			return true;
	return false;
}

/* aa:bb:cc:dd:ee:ff, neither multicast nor all zero. */
static bool
is_mac(const char *text)
{
	size_t i;

	if (strlen(text) != 17)
		return false;
	for (i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':'
			       : !isxdigit((unsigned char)text[i]))
			return false;
	return !only(text, '0') && !strchr("13579bdf", text[1]);
}

static char *
one_spelling(const char *value)
{
	size_t n, i;
	char *text;

	while (isspace((unsigned char)*value))
		value++;
	n = strlen(value);
	while (n > 0 && isspace((unsigned char)value[n - 1]))
		n--;
	text = base_strndup(value, n);
	for (i = 0; i < n; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	return text;
}

/* Sorted, each once. */
static void
add_mac(struct identity *id, char *mac)
{
	size_t at = 0;

	while (at < id->macs_len && strcmp(id->macs[at], mac) < 0)
		at++;
	if (at < id->macs_len && str_eq(id->macs[at], mac)) {
		free(mac);
		return;
	}
	id->macs = base_resize(id->macs, id->macs_len + 1, sizeof(*id->macs));
	memmove(id->macs + at + 1, id->macs + at,
		(id->macs_len - at) * sizeof(*id->macs));
	id->macs[at] = mac;
	id->macs_len++;
}

void
identity_add(struct identity *id, enum identity_kind kind, const char *value)
{
	AUTO_FREE char *text = one_spelling(value);
	char **slot = kind == IDENTITY_UUID ? &id->uuid : &id->serial;

	if (kind == IDENTITY_MAC) {
		if (is_mac(text))
			add_mac(id, STEAL(text));
		return;
	}
	if (is_junk(text) || *slot)
		return;
	*slot = STEAL(text);
}

/* The same letters and digits, whatever stands between them. */
static bool
same_digits(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a && !isalnum((unsigned char)*a))
			a++;
		while (*b && !isalnum((unsigned char)*b))
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

void
identity_settle(struct identity *id)
{
	bool repeats =
		id->serial && id->uuid && same_digits(id->serial, id->uuid);
	size_t i;

	for (i = 0; id->serial && i < id->macs_len; i++)
		repeats |= same_digits(id->serial, id->macs[i]);
	if (!repeats)
		return;
	free(id->serial);
	id->serial = NULL;
}

/* ---- its values, one by one ---- */

bool
identity_at(const struct identity *id, size_t i, enum identity_kind *kind,
	    const char **value)
{
	const char *alone[2];
	size_t n = 0;

	if (id->uuid)
		alone[n++] = id->uuid;
	if (id->serial)
		alone[n++] = id->serial;
	if (i < n) {
		*kind = alone[i] == id->uuid ? IDENTITY_UUID : IDENTITY_SERIAL;
		*value = alone[i];
		return true;
	}
	if (i - n >= id->macs_len)
		return false;
	*kind = IDENTITY_MAC;
	*value = id->macs[i - n];
	return true;
}

bool
identity_has(const struct identity *id, enum identity_kind kind,
	     const char *value)
{
	enum identity_kind k;
	const char *v;

	for (size_t i = 0; identity_at(id, i, &k, &v); i++)
		if (k == kind && str_eq(v, value))
			return true;
	return false;
}

static void
drop_text(char **slot, const char *value)
{
	if (!str_eq(*slot, value))
		return;
	free(*slot);
	*slot = NULL;
}

void
identity_remove(struct identity *id, enum identity_kind kind, const char *value)
{
	AUTO_FREE char *copy = base_strdup(value); /* may be what goes */
	size_t i;

	if (kind == IDENTITY_UUID)
		drop_text(&id->uuid, copy);
	if (kind == IDENTITY_SERIAL)
		drop_text(&id->serial, copy);
	for (i = 0; kind == IDENTITY_MAC && i < id->macs_len; i++)
		if (str_eq(id->macs[i], copy)) {
			free(id->macs[i]);
			id->macs_len--;
			memmove(id->macs + i, id->macs + i + 1,
				(id->macs_len - i) * sizeof(*id->macs));
			break;
		}
}

/* ---- judging ---- */

struct likeness {
	unsigned agree, differ;           /* kinds that both have */
	const char *agreeing, *differing; /* one of each, for the reason */
};

static bool
share_a_mac(const struct identity *a, const struct identity *b)
{
	size_t i, j;

	for (i = 0; i < a->macs_len; i++)
		for (j = 0; j < b->macs_len; j++)
			if (str_eq(a->macs[i], b->macs[j]))
				return true;
	return false;
}

static void
count(struct likeness *l, bool both, bool same, const char *kind,
      const char *other)
{
	if (!both)
		return;
	if (same) {
		l->agree++;
		l->agreeing = kind;
	} else {
		l->differ++;
		l->differing = other;
	}
}

static struct likeness
compare(const struct identity *a, const struct identity *b)
{
	struct likeness l = { 0 };

	count(&l, a->uuid && b->uuid, str_eq(a->uuid, b->uuid), "system UUID",
	      "another system UUID");
	count(&l, a->serial && b->serial, str_eq(a->serial, b->serial),
	      "serial", "another serial");
	count(&l, a->macs_len && b->macs_len, share_a_mac(a, b), "MACs",
	      "other MACs");
	return l;
}

/* Two kinds agree, or the only one that both have. */
static bool
is_same(const struct likeness *l)
{
	return l->agree >= 2 || (l->agree == 1 && l->differ == 0);
}

enum identity_verdict
identity_judge(const struct identity *seen, const struct identity_known *known,
	       size_t len, size_t *at, char reason[200])
{
	size_t i, related = 0, first = 0;
	struct likeness like = { 0 };

	reason[0] = '\0';
	if (!seen->uuid && !seen->serial && !seen->macs_len) {
		snprintf(reason, 200,
			 "no system UUID, serial or permanent MAC "
			 "to know this machine by");
		return IDENTITY_NOTHING;
	}
	for (i = 0; i < len; i++) {
		struct likeness l = compare(seen, &known[i].id);

		if (l.agree == 0)
			continue;
		if (related++ == 0) {
			first = i;
			like = l;
		}
	}
	if (related == 0)
		return IDENTITY_NEW;
	if (related == 1 && is_same(&like)) {
		*at = first;
		return IDENTITY_KNOWN;
	}
	if (related > 1)
		snprintf(reason, 200,
			 "has values of %zu known machines, %.40s among them",
			 related, known[first].machine);
	else
		snprintf(reason, 200, "has the %s of machine %.40s, but %s",
			 like.agreeing, known[first].machine, like.differing);
	return IDENTITY_WAITS;
}

void
identity_clear(struct identity *id)
{
	size_t i;

	free(id->uuid);
	free(id->serial);
	for (i = 0; i < id->macs_len; i++)
		free(id->macs[i]);
	free(id->macs);
	*id = (struct identity){ 0 };
}
