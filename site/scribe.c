/* Claims written back. The scribe writes only into the very file that was
 * merged into the store last: when somebody edited it since, the edit is merged
 * first, and then what is still due is written into what they saved. */
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "site/core.h"
#include "site/lack.h"
#include "site/scribe.h"

#define GATHER_MS 300 /* from the first change on, before writing */
#define RETRY_MS 300  /* while somebody edits */
#define LOOK_MS 500   /* between looks at the site's files */
#define END_MS 3000   /* for what is due when the server stops */
#define LATE_MS 2000  /* a displaced file is watched for that long */
#define LOCK_WAIT_MS 2000

struct file {
	char *profile;
	struct cmdb *text; /* as merged or written last; NULL: unknown */
	struct stamp stamp;
	bool compare; /* all its entries, not only those that are due */
	int64_t *due;
	size_t due_len;
	struct displaced old;
	int64_t old_until_ms;
	char *said; /* the last complaint, not to be repeated */
};

struct scribe {
	struct site *s;
	struct store *store; /* a reader of its own */
	pthread_t thread;
	bool started, ending;
	pthread_mutex_t lock; /* for what stands below */
	pthread_cond_t come;
	struct file *files;
	size_t len;
	int64_t due_ms; /* when to write next; 0: nothing is due */
	bool retries;   /* the last round left something due */
};

/* ---- from other threads ---- */

static struct file *
file_of(struct scribe *w, const char *profile)
{
	for (size_t i = 0; i < w->len; i++)
		if (str_eq(w->files[i].profile, profile))
			return &w->files[i];
	w->files = base_resize(w->files, w->len + 1, sizeof(*w->files));
	w->files[w->len] = (struct file){ .profile = base_strdup(profile),
					  .old = DISPLACED_NONE };
	return &w->files[w->len++];
}

static void
make_due(struct scribe *w, int64_t in_ms)
{
	if (w->due_ms)
		return;
	w->due_ms = clock_boot_ms() + in_ms;
	pthread_cond_signal(&w->come);
}

void
scribe_learn(struct scribe *w, const char *profile, struct cmdb *c,
	     const struct stamp *stamp)
{
	struct file *f;

	cmdb_forget(c);
	pthread_mutex_lock(&w->lock);
	f = file_of(w, profile);
	cmdb_free(f->text);
	f->text = c;
	f->stamp = *stamp;
	f->compare = true;
	make_due(w, GATHER_MS);
	pthread_mutex_unlock(&w->lock);
}

void
scribe_mark(struct scribe *w, const char *profile, int64_t entry)
{
	struct file *f;

	pthread_mutex_lock(&w->lock);
	f = file_of(w, profile);
	if ((f->due_len & (f->due_len - 1)) == 0)
		f->due = base_resize(f->due, f->due_len ? 2 * f->due_len : 1,
				     sizeof(*f->due));
	f->due[f->due_len++] = entry;
	make_due(w, GATHER_MS);
	pthread_mutex_unlock(&w->lock);
}

/* ---- one file ---- */

/* Out of the table; what comes meanwhile is for the next time. */
static bool
take_work(struct scribe *w, size_t i, struct lack *k)
{
	struct file *f;

	pthread_mutex_lock(&w->lock);
	f = &w->files[i];
	*k = (struct lack){ .profile = base_strdup(f->profile),
			    .text = STEAL(f->text),
			    .was = f->stamp,
			    .stamp = f->stamp,
			    .compare = f->compare,
			    .due = STEAL(f->due),
			    .due_len = f->due_len };
	f->due_len = 0;
	f->compare = false;
	pthread_mutex_unlock(&w->lock);
	k->path = base_printf("%s/%s.cmdb", site_conf(w->s)->configdir,
			      k->profile);
	k->ours = k->text && str_eq(cmdb_store_id(k->text), store_id(w->store));
	return k->text && (k->compare || k->due_len > 0);
}

/* Into the table again, unless the file was merged anew meanwhile; but what was
 * merged may be what we have replaced since. */
static void
put_back(struct scribe *w, size_t i, struct lack *k, bool again)
{
	struct file *f;

	pthread_mutex_lock(&w->lock);
	f = &w->files[i];
	if (!f->text ||
	    (stamp_eq(&f->stamp, &k->was) && !stamp_eq(&k->stamp, &k->was))) {
		cmdb_free(f->text);
		f->text = STEAL(k->text);
		f->stamp = k->stamp;
	}
	if (again) {
		f->compare = true;
		if (f->text)
			make_due(w, RETRY_MS);
	}
	pthread_mutex_unlock(&w->lock);
}

/* The file with generate() in it, kept beside the one that gets its entries:
 * without that copy the operator's short text would be lost. Whoever may not
 * read the file shall not read the copy. */
static int
keep_model(const struct lack *k, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s.orig", k->path);
	const char *model = cmdb_model(k->text);
	struct stat st;

	if (!model)
		return 0;
	if (stat(k->path, &st) < 0)
		return err_sys(e, "stat %s", k->path);
	return file_replace(path, model, strlen(model), st.st_mode & 0777, e);
}

/* What cannot be read again must not be written. */
static int
judge_size(size_t len, struct err *e)
{
	if (len <= CMDB_MAX_BYTES)
		return 0;
	return err_set(e, ERR_INPUT,
		       "with its claims it is larger than %d bytes; make two "
		       "profiles of it",
		       CMDB_MAX_BYTES);
}

static int
write_changes(struct scribe *w, size_t i, struct lack *k, struct err *e)
{
	AUTO(cmdb)
	fresh = cmdb_changed(k->text, store_id(w->store), k->changes,
			     k->changes_len);
	struct stamp now;
	size_t len;
	const char *text = cmdb_text(fresh, &len);
	struct displaced old = DISPLACED_NONE;

	if (judge_size(len, e) < 0 || keep_model(k, e) < 0 ||
	    file_swap(k->path, &k->stamp, text, len, &now, &old, e) < 0)
		return -1;
	site_file_written(w->s, k->profile, &k->stamp, &now);
	cmdb_free(k->text);
	k->text = STEAL(fresh);
	k->stamp = now;
	pthread_mutex_lock(&w->lock);
	displaced_clear(&w->files[i].old);
	w->files[i].old = old;
	w->files[i].old_until_ms = clock_boot_ms() + LATE_MS;
	pthread_mutex_unlock(&w->lock);
	return 0;
}

/* The same complaint once. */
static void
complain(struct scribe *w, size_t i, const char *path, const char *text)
{
	struct file *f = &w->files[i];

	if (text && !str_eq(f->said, text))
		log_line(LOG_WARNING, "%s is not written back: %s", path, text);
	free(f->said);
	f->said = text ? base_strdup(text) : NULL;
}

static void
write_file(struct scribe *w, size_t i)
{
	struct lack k;
	struct err e = { 0 };
	bool due = take_work(w, i, &k);
	int failed = 0;

	if (due)
		failed = lack_find(w->store, &k, &e);
	if (failed == 0 && (k.changes_len > 0 || (due && lack_is_foreign(&k))))
		failed = write_changes(w, i, &k, &e);
	put_back(w, i, &k, failed < 0 || (!due && k.due_len > 0));
	pthread_mutex_lock(&w->lock);
	if (due && e.kind != ERR_REFUSED) /* an editor at work is no fault */
		complain(w, i, k.path, failed < 0 ? e.text : NULL);
	pthread_mutex_unlock(&w->lock);
	lack_clear(&k);
}

/* ---- an editor that was slower than we ---- */

/* What was saved into the displaced file takes its place again, as if the
 * editor had been first to open and last to save. */
static void
rescue_edit(struct scribe *w, size_t i)
{
	AUTO_FREE char *text = NULL, *path = NULL;
	struct err e = { 0 };

	pthread_mutex_lock(&w->lock);
	text = displaced_changed(&w->files[i].old, CMDB_MAX_BYTES);
	path = base_printf("%s/%s.cmdb", site_conf(w->s)->configdir,
			   w->files[i].profile);
	if (text || clock_boot_ms() > w->files[i].old_until_ms)
		displaced_clear(&w->files[i].old);
	pthread_mutex_unlock(&w->lock);
	if (!text)
		return;
	if (file_replace(path, text, strlen(text), 0640, &e) < 0)
		log_line(LOG_ERROR, "%s: an edit could not be put back: %s",
			 path, e.text);
	else
		log_line(LOG_INFO,
			 "%s: an edit that was saved while the server wrote is "
			 "in place",
			 path);
}

/* ---- the thread ---- */

static void
write_all(struct scribe *w, size_t files)
{
	struct lock lock = LOCK_NONE;
	struct err e = { 0 };

	if (lock_take(&lock, site_conf(w->s)->lockfile, LOCK_WAIT_MS, &e) < 0) {
		log_line(LOG_WARNING, "CMDB files wait: %s", e.text);
		pthread_mutex_lock(&w->lock);
		make_due(w, RETRY_MS);
		pthread_mutex_unlock(&w->lock);
		return;
	}
	for (size_t i = 0; i < files; i++)
		write_file(w, i);
	lock_clear(&lock);
}

/* Until something is due, or for a while: files are looked at even when no
 * machine asks. */
static void
wait_for_work(struct scribe *w)
{
	int64_t ms = w->due_ms ? w->due_ms - clock_boot_ms() : LOOK_MS;
	struct timespec until;

	if (ms <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&w->come, &w->lock, &until);
}

/* One round, without the lock: what is due, and what editors did. */
static void
work(struct scribe *w, bool due, size_t files)
{
	if (due)
		write_all(w, files);
	for (size_t i = 0; i < files; i++)
		rescue_edit(w, i);
	site_look(w->s);
	site_let_go(w->s);
}

/* At the end what is due is written, if an editor lets us within END_MS. */
static void *
write_for_ever(void *ctx)
{
	struct scribe *w = ctx;
	int64_t end_ms = 0;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		bool due;
		size_t files = w->len;

		if (w->ending && !end_ms)
			end_ms = clock_boot_ms() + END_MS;
		if (w->ending && (!w->due_ms || clock_boot_ms() > end_ms))
			break;
		if (!w->ending || w->retries)
			wait_for_work(w);
		due = w->due_ms && (w->ending || clock_boot_ms() >= w->due_ms);
		if (due)
			w->due_ms = 0;
		pthread_mutex_unlock(&w->lock);
		work(w, due, files);
		pthread_mutex_lock(&w->lock);
		w->retries = w->due_ms != 0;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int
scribe_start(struct scribe **out, struct site *s, struct err *e)
{
	AUTO(scribe) w = base_alloc(sizeof(*w));
	pthread_condattr_t a;

	w->s = s;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&w->come, &a);
	pthread_condattr_destroy(&a);
	if (store_reader(&w->store, site_conf(s)->storedir, e) < 0)
		return -1;
	if (pthread_create(&w->thread, NULL, write_for_ever, w) != 0)
		return err_set(e, ERR_SYS,
			       "the scribe's thread does not start");
	w->started = true;
	*out = STEAL(w);
	return 0;
}

void
scribe_free(struct scribe *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->come);
	pthread_mutex_unlock(&w->lock);
	if (w->started)
		pthread_join(w->thread, NULL);
	for (size_t i = 0; i < w->len; i++) {
		free(w->files[i].profile);
		cmdb_free(w->files[i].text);
		free(w->files[i].due);
		free(w->files[i].said);
		displaced_clear(&w->files[i].old);
	}
	free(w->files);
	store_free(w->store);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->come);
	free(w);
}
