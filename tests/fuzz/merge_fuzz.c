/* Three sides of a folder, drawn from a few paths that lie below and beside one
 * another: whatever stands where, the plan can be carried out, in its order;
 * and where one side changed nothing, it is the other side. */
#include <assert.h>

#include "lib/base.h"

#include "roots/merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char *const paths[] = {
	"etc/a",     "etc/a/b",           "etc/a/b/c",    "etc/a.edeploy-new",
	"etc/d",     "etc/d.edeploy-new", "etc/d/e",      "etc/d/e.edeploy-new",
	"etc/group", "etc/passwd",        "etc/passwd/x",
};

/* One nibble of each byte says what stands there: nothing, one of three
 * contents, with other looks, a folder, a link. */
static bool
entry_of(struct manifest_entry *x, unsigned what, const char *path)
{
	char c = (char)('a' + what % 3);

	*x = (struct manifest_entry){ .path = path,
				      .mode = 0644,
				      .uid = what >= 8,
				      .type = "-fffffdl-fffffdl"[what & 15] };
	if (x->type == 'f') {
		x->size = 1;
		digest_of(&c, 1, &x->hash);
	}
	if (x->type == 'l')
		x->link = what >= 8 ? "/x" : "y";
	return x->type != '-';
}

static bool
has_folder(const struct manifest_entry *all, size_t n, const char *path)
{
	size_t up = (size_t)(strrchr(path, '/') - path);
	size_t i;

	for (i = 0; i < n; i++)
		if (all[i].type == 'd' && strlen(all[i].path) == up &&
		    strncmp(all[i].path, path, up) == 0)
			return true;
	return false;
}

static struct manifest *
make(const uint8_t *bytes, size_t len, unsigned side)
{
	struct manifest_entry all[ARRAY_LEN(paths) + 2];
	struct manifest *m = manifest_new();
	struct err e = { 0 };
	size_t i, n = 0;

	all[n++] = (struct manifest_entry){ .type = 'd', .path = "." };
	all[n++] = (struct manifest_entry){ .type = 'd', .path = "etc" };
	for (i = 0; i < ARRAY_LEN(paths); i++) {
		size_t at = i * 3 + side;

		if (at < len && entry_of(&all[n], bytes[at], paths[i]) &&
		    has_folder(all, n, paths[i]))
			n++;
	}
	for (i = 0; i < n; i++)
		manifest_add(m, &all[i]);
	if (manifest_seal(m, &e) < 0)
		assert(!"a manifest that is none");
	return m;
}

static const struct merge_row *
row_of(const struct merge_plan *p, const char *path, size_t len)
{
	size_t i;

	for (i = 0; i < p->len; i++)
		if (strlen(p->row[i].path) == len &&
		    strncmp(p->row[i].path, path, len) == 0)
			return &p->row[i];
	return NULL;
}

/* In order, each in a folder that is there before, nothing written twice. */
static void
check_feasible(const struct merge_plan *p)
{
	size_t i;

	for (i = 0; i < p->len; i++) {
		const struct merge_row *r = &p->row[i], *up, *other;
		AUTO_FREE char *beside =
			base_printf("%s" MERGE_BESIDE, r->path);
		const char *slash = strrchr(r->path, '/');

		assert(i == 0 ||
		       manifest_path_cmp(p->row[i - 1].path, r->path) < 0);
		assert(r->content == MERGE_NONE ||
		       str_eq(r->look.path, r->path));
		if (slash && (r->content != MERGE_NONE || r->beside)) {
			up = row_of(p, r->path, (size_t)(slash - r->path));
			assert(up && up < r && up->content != MERGE_NONE &&
			       up->look.type == 'd');
		}
		other = row_of(p, beside, strlen(beside));
		assert(!r->beside || !other || other->content == MERGE_NONE);
		assert(!r->beside || (r->theirs && r->theirs->type != 'd'));
	}
}

/* What comes out is `side`, and nobody has anything to say. */
static void
check_is(const struct merge_plan *p, const struct manifest *side, bool silent)
{
	size_t i, n = 0;

	for (i = 0; i < p->len; i++) {
		const struct merge_row *r = &p->row[i];
		const struct manifest_entry *x = manifest_find(side, r->path);

		assert(!r->beside && (!silent || r->note == MERGE_PLAIN));
		assert((r->content != MERGE_NONE) == (x != NULL));
		assert(!x ||
		       (r->look.type == x->type && r->look.uid == x->uid));
		n += x != NULL;
	}
	assert(n == side->len - 1); /* but for the top */
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(manifest) base = make(bytes, len, 0);
	AUTO(manifest) ours = make(bytes, len, 1);
	AUTO(manifest) theirs = make(bytes, len, 2);
	struct merge_plan p;

	merge_make(&p, base, ours, theirs, "etc", NULL);
	check_feasible(&p);
	merge_clear(&p);
	merge_make(&p, base, base, theirs, "etc", NULL);
	check_is(&p, theirs, true);
	merge_clear(&p);
	merge_make(&p, base, ours, base, "etc", NULL);
	check_is(&p, ours, false);
	merge_clear(&p);
	return 0;
}
