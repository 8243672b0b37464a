/* What a boot loader reads of a version: roots/VERSION.grub and the files that
 * it names. */
#include "lib/file.h"

#include "roots/same.h"

#include "host/switch.h"

#define GRUB_MAX 65536

/* One version's file, as grub_print_version has written it. */
struct start {
	char *kernel, *initrd; /* below the top */
	char *args;            /* as quoted */
};

static void
start_clear(struct start *s)
{
	free(s->kernel);
	free(s->initrd);
	free(s->args);
}

/* "set NAME='...'\n": what stands between the quotes. Owned, or NULL. */
static char *
take_set(const char *text, const char *name)
{
	AUTO_FREE char *head = base_printf("set %s='", name);
	const char *at = strstr(text, head);
	const char *end = at ? strchr(at, '\n') : NULL;

	if (!end || (at > text && at[-1] != '\n') || end[-1] != '\'')
		return NULL;
	at += strlen(head);
	return end > at ? base_strndup(at, (size_t)(end - at) - 1) : NULL;
}

static int
start_read(struct start *out, const char *top, const char *version,
	   struct err *e)
{
	AUTO_FREE char *path =
		base_printf("%s/edeploy/roots/%s.grub", top, version);
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *kernel = NULL;
	AUTO_FREE char *initrd = NULL;

	if (file_read(path, GRUB_MAX, &text, NULL, e) < 0)
		return -1;
	kernel = take_set(text, "ed_kernel");
	initrd = take_set(text, "ed_initrd");
	out->args = take_set(text, "ed_args");
	if (!kernel || !initrd || !out->args)
		return err_set(e, ERR_INPUT,
			       "%s does not say how %s starts, as edeploy "
			       "writes it",
			       path, version);
	out->kernel = base_printf("%s%s", top, kernel);
	out->initrd = base_printf("%s%s", top, initrd);
	return 0;
}

int
switch_compare(const char *top, const char *a, const char *b, bool *same_kernel,
	       bool *same_start, struct err *e)
{
	AUTO_CLEAR(start) left = { 0 };
	AUTO_CLEAR(start) right = { 0 };
	bool same_initrd;

	if (start_read(&left, top, a, e) < 0 ||
	    start_read(&right, top, b, e) < 0 ||
	    same_bytes(left.kernel, right.kernel, same_kernel, e) < 0 ||
	    same_bytes(left.initrd, right.initrd, &same_initrd, e) < 0)
		return -1;
	*same_start =
		*same_kernel && same_initrd && str_eq(left.args, right.args);
	return 0;
}
