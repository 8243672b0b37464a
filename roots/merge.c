/* What to do with each path, from three manifests walked side by side. */
#include <assert.h>

#include "lib/base.h"

#include "roots/accounts.h"
#include "roots/classes.h"
#include "roots/identity.h"
#include "roots/merge.h"

/* ---- one path ---- */

static bool
same_content(const struct manifest_entry *a, const struct manifest_entry *b)
{
	if (!a || !b)
		return a == b;
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case 'f':
		return a->size == b->size && digest_eq(&a->hash, &b->hash);
	case 'l':
		return str_eq(a->link, b->link);
	case 'c':
	case 'b':
		return a->major == b->major && a->minor == b->minor;
	default:
		return true;
	}
}

static bool
same_look(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       manifest_xattrs_equal(a, b);
}

/* The three sides of a path; a hard link is what it leads to. */
struct sides {
	const char *path;
	const struct manifest_entry *base, *ours, *theirs;
};

/* Both have it: whose looks. */
static void
merge_looks(const struct sides *s, struct merge_row *r)
{
	const struct manifest_entry *from = s->theirs;

	if (s->base && !same_look(s->ours, s->base)) {
		from = s->ours;
		if (!same_look(s->theirs, s->base) &&
		    !same_look(s->theirs, s->ours) && r->note == MERGE_PLAIN)
			r->note = MERGE_LOOKS;
	} else if (!s->base) {
		from = s->ours;
	}
	r->look.mode = from->mode;
	r->look.uid = from->uid;
	r->look.gid = from->gid;
	r->look.xattrs = from->xattrs;
	r->look.xattrs_len = from->xattrs_len;
}

static void
take(struct merge_row *r, enum merge_from from,
     const struct manifest_entry *entry, enum merge_note note)
{
	r->content = entry ? from : MERGE_NONE;
	if (entry)
		r->look = *entry;
	r->note = note;
}

static bool
is_folder(const struct manifest_entry *m)
{
	return m && m->type == 'd';
}

/* Each side differs from the base in its own way. */
static void
settle_conflict(const struct sides *s, struct merge_row *r)
{
	if (!s->theirs) {
		take(r, MERGE_OURS, s->ours, MERGE_ORPHAN);
	} else if (!s->ours) {
		/* nor beside: what takes each file of a folder would read it */
		take(r, MERGE_NONE, NULL, MERGE_UNWANTED);
	} else if (s->ours->type == 'f' && s->theirs->type == 'f' &&
		   accounts_known(s->path)) {
		take(r, MERGE_LINES, s->ours, MERGE_KEPT);
	} else {
		take(r, MERGE_OURS, s->ours, MERGE_CONFLICT);
		r->beside = !is_folder(s->theirs) && !is_folder(s->ours);
	}
}

static void
settle(const struct sides *s, struct merge_row *r)
{
	*r = (struct merge_row){ .path = s->path, .theirs = s->theirs };
	if (s->ours && identity_is(s->path)) {
		take(r, MERGE_OURS, s->ours, MERGE_PLAIN);
		return;
	}
	if (same_content(s->ours, s->theirs))
		take(r, MERGE_OURS, s->ours, MERGE_PLAIN);
	else if (same_content(s->ours, s->base))
		take(r, MERGE_THEIRS, s->theirs, MERGE_PLAIN);
	else if (same_content(s->theirs, s->base))
		take(r, MERGE_OURS, s->ours, MERGE_KEPT);
	else
		settle_conflict(s, r);
	if (s->ours && s->theirs && r->content != MERGE_NONE &&
	    s->ours->type == s->theirs->type)
		merge_looks(s, r);
	/* an edited look of what the version takes away, or an owner that was
	 * changed of what it brings, is an edit, too */
	if (!s->theirs && s->ours && s->base && r->content == MERGE_NONE &&
	    !same_look(s->ours, s->base) && s->ours->type != 'd')
		take(r, MERGE_OURS, s->ours, MERGE_ORPHAN);
}

/* ---- all paths ---- */

struct side {
	const struct manifest *m;
	size_t at;
	const char *prefix;
	/* Of what people's part of it is; NULL: all. */
	const struct classes *classes;
};

static bool
is_asked_for(const struct side *s, const char *path)
{
	return path_is_within(path, s->prefix) &&
	       (!s->classes || classes_of(s->classes, path) == CLASS_MERGED);
}

static const struct manifest_entry *
peek(struct side *s)
{
	while (s->at < s->m->len && !is_asked_for(s, s->m->entry[s->at].path))
		s->at++;
	return s->at < s->m->len ? &s->m->entry[s->at] : NULL;
}

static const struct manifest_entry *
resolve(const struct manifest *m, const struct manifest_entry *x)
{
	return x && x->type == 'h' ? manifest_find(m, x->link) : x;
}

/* The entry of this side at the path, taken; or NULL. */
static const struct manifest_entry *
take_at(struct side *s, const char *path)
{
	const struct manifest_entry *x = peek(s);

	if (!x || !str_eq(x->path, path))
		return NULL;
	s->at++;
	return resolve(s->m, x);
}

static const char *
first_path(struct side side[3])
{
	const char *best = NULL;
	size_t i;

	for (i = 0; i < 3; i++) {
		const struct manifest_entry *x = peek(&side[i]);

		if (x && (!best || manifest_path_cmp(x->path, best) < 0))
			best = x->path;
	}
	return best;
}

static void
add(struct merge_plan *p, const struct merge_row *r)
{
	/* powers of two: a tree has thousands */
	if ((p->len & (p->len - 1)) == 0)
		p->row = base_resize(p->row, p->len ? 2 * p->len : 1,
				     sizeof(*p->row));
	p->row[p->len++] = *r;
}

/* ---- folders ---- */

/* The innermost folder of `path` among the rows before `end`, or NULL. */
static struct merge_row *
folder_of(struct merge_plan *p, size_t end, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	while (slash && end-- > 0)
		if (strlen(p->row[end].path) == len &&
		    strncmp(p->row[end].path, path, len) == 0)
			return &p->row[end];
	return NULL;
}

static bool
is_there(const struct merge_row *r)
{
	return r->content != MERGE_NONE;
}

static bool
makes_folder(const struct merge_row *r)
{
	return is_there(r) && r->look.type == 'd';
}

/* What stays needs its folders: one that the version took away, or made into
 * something else, stays with it. Innermost first, so that one pass is enough.
 */
static void
keep_folders(struct merge_plan *p, const struct manifest *ours)
{
	size_t i;

	for (i = p->len; i-- > 0;) {
		struct merge_row *up = folder_of(p, i, p->row[i].path);
		const struct manifest_entry *was =
			up ? manifest_find(ours, up->path) : NULL;

		if (p->row[i].content != MERGE_OURS || !is_folder(was) ||
		    makes_folder(up))
			continue;
		up->beside = up->content == MERGE_THEIRS;
		up->note = up->beside ? MERGE_CONFLICT : MERGE_ORPHAN;
		up->content = MERGE_OURS;
		up->look = *was;
	}
}

/* What the version brings into a folder that is none here has no place; nor has
 * what would be in that. */
static void
drop_homeless(struct merge_plan *p)
{
	size_t i;

	for (i = 0; i < p->len; i++) {
		struct merge_row *r = &p->row[i];
		const struct merge_row *up = folder_of(p, i, r->path);

		if (!up || makes_folder(up) || !is_there(r))
			continue;
		r->content = MERGE_NONE;
		r->beside = false;
		r->note = MERGE_UNWANTED;
	}
}

/* ---- what an earlier merge put beside ---- */

/* Compares a path, and a row of the plan. */
static int
by_path(const void *a, const void *b)
{
	return manifest_path_cmp(a, ((const struct merge_row *)b)->path);
}

/* The new version's comes in the place of an older one's, that nobody has taken
 * up; a folder of that name is somebody's own. */
static void
clear_beside(struct merge_plan *p)
{
	size_t i;

	for (i = 0; i < p->len; i++) {
		AUTO_FREE char *name = NULL;
		struct merge_row *old;

		if (!p->row[i].beside)
			continue;
		name = base_printf("%s" MERGE_BESIDE, p->row[i].path);
		old = bsearch(name, p->row, p->len, sizeof(*p->row), by_path);
		if (!old || old->content == MERGE_NONE)
			continue;
		if (old->look.type == 'd') {
			p->row[i].beside = false;
			continue;
		}
		old->content = MERGE_NONE;
		old->note = MERGE_PLAIN;
	}
}

static void
drop_silent(struct merge_plan *p)
{
	size_t i, n = 0;

	for (i = 0; i < p->len; i++)
		if (p->row[i].content != MERGE_NONE || p->row[i].beside ||
		    p->row[i].note != MERGE_PLAIN)
			p->row[n++] = p->row[i];
	p->len = n;
}

void
merge_make(struct merge_plan *out, const struct manifest *base,
	   const struct manifest *ours, const struct manifest *theirs,
	   const char *prefix, const struct classes *classes)
{
	struct side side[3] = { { base, 0, prefix, classes },
				{ ours, 0, prefix, classes },
				{ theirs, 0, prefix, NULL } };
	const char *path;

	*out = (struct merge_plan){ 0 };
	while ((path = first_path(side))) {
		struct sides s = { .path = path };
		struct merge_row r;

		s.base = take_at(&side[0], path);
		s.ours = take_at(&side[1], path);
		s.theirs = take_at(&side[2], path);
		settle(&s, &r);
		r.look.path = path;
		add(out, &r);
	}
	keep_folders(out, ours);
	drop_homeless(out);
	clear_beside(out);
	drop_silent(out);
}

void
merge_clear(struct merge_plan *p)
{
	free(p->row);
	*p = (struct merge_plan){ 0 };
}

const char *
merge_note_text(const struct merge_row *r)
{
	switch (r->note) {
	case MERGE_KEPT:
		return r->content == MERGE_LINES
			       ? "edited here and changed by the version: "
				 "merged line by line"
			       : "edited here, and kept";
	case MERGE_CONFLICT:
		return r->beside ? "edited here and changed by the version: "
				   "yours is kept, the version's is beside it "
				   "as .edeploy-new"
				 : "changed here and by the version: yours is "
				   "kept";
	case MERGE_LOOKS:
		return "mode or owner changed here and by the version: yours "
		       "are kept";
	case MERGE_UNWANTED:
		return "removed here and changed by the version: it stays "
		       "away";
	case MERGE_ORPHAN:
		return "edited here and removed by the version: yours is kept";
	default:
		return NULL;
	}
}
