/* Which files a site has, and when one was touched last. */
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "site/snapshot.h"

bool
site_file_belongs(const char *name)
{
	static const char *const ends[] = { ".specs", ".configure", ".cmdb" };

	if (str_eq(name, "state"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		AUTO_FREE char *profile = NULL;

		if (!str_ends(name, ends[i]))
			continue;
		profile = base_strndup(name, strlen(name) - strlen(ends[i]));
		return name_is_safe(profile);
	}
	return false;
}

void
site_files_read(struct site_files *out, const char *dir)
{
	char **names = dir_names(dir);
	size_t n = 0;

	*out = (struct site_files){ 0 };
	while (names && names[n])
		n++;
	out->at = base_array(n + 1, sizeof(*out->at));
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, names[i]);
		struct site_file *f = &out->at[out->len];
		struct err e = { 0 };

		if (!site_file_belongs(names[i]) ||
		    stamp_get(&f->stamp, path, &e) < 0)
			continue;
		f->name = base_strdup(names[i]);
		out->len++;
	}
	names_free(names);
}

static int
compare_name(const void *name, const void *file)
{
	return strcmp(name, ((const struct site_file *)file)->name);
}

struct site_file *
site_files_find(const struct site_files *f, const char *name)
{
	if (f->len == 0)
		return NULL;
	return bsearch(name, f->at, f->len, sizeof(*f->at), compare_name);
}

void
site_files_clear(struct site_files *f)
{
	for (size_t i = 0; i < f->len; i++)
		free(f->at[i].name);
	free(f->at);
	*f = (struct site_files){ 0 };
}

/* A name that went away leaves its time in the folder. */
static int64_t
folder_ms(const char *dir)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return 0;
	return (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
}

int64_t
site_files_quiet_ms(const struct site_files *old, const struct site_files *now,
		    const char *dir)
{
	int64_t youngest = -1, age;
	size_t found = 0;

	for (size_t i = 0; i < now->len; i++) {
		const struct site_file *f = &now->at[i];
		const struct site_file *was = site_files_find(old, f->name);
		int64_t ms = f->stamp.ctime_ns / 1000000;

		found += was != NULL;
		if (ms > youngest &&
		    (!was || !stamp_eq(&was->stamp, &f->stamp)))
			youngest = ms;
	}
	if (found < old->len && folder_ms(dir) > youngest)
		youngest = folder_ms(dir);
	if (youngest < 0)
		return -1;
	/* a time to come is left from a clock that was wrong */
	age = clock_wall_ms() - youngest;
	return age < 0 ? -age : age;
}
