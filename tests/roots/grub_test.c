/* How a version starts, written and read again; what nobody wrote so is refused
 * with its line. And which kernel of a tree that is. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/grub.h"
#include "roots/kernel.h"

#include "tests/test.h"

static void
die(const char *why)
{
	printf("Bail out! %s\n", why);
	exit(1);
}

static const struct {
	const char *kernel, *initrd, *args;
} kept[] = {
	{ "/edeploy/roots/A/boot/vmlinuz-1", "/edeploy/roots/A/boot/i-1", "" },
	{ "/k", "/i", "console=ttyS0 panic=10" },
	{ "/k", "/i", "'" },
	{ "/k'", "'/i", "a='b c' d='\\'' \"$x\" \\" },
};

static void
test_kept(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kept); i++) {
		AUTO_CLEAR(grub_version) v = { 0 };
		AUTO_CLEAR(buf) text = { 0 };
		struct err e = { 0 };

		CHECK_SHOW(i,
			   grub_print_version(kept[i].kernel, kept[i].initrd,
					      kept[i].args, &text, &e) == 0 &&
				   grub_read_version(&v, buf_text(&text), "t",
						     &e) == 0 &&
				   str_eq(v.kernel, kept[i].kernel) &&
				   str_eq(v.initrd, kept[i].initrd) &&
				   str_eq(v.args, kept[i].args),
			   "%s", e.text);
	}
}

static const struct {
	const char *text, *say;
} refused[] = {
	{ "", "t, line 1" },
	{ "set ed_kernel='/k'\n", "t, line 2" },
	{ "set ed_kernel=/k\nset ed_initrd='/i'\nset ed_args=''\n", "line 1" },
	{ "set ed_kernel='/k\n'\nset ed_initrd='/i'\nset ed_args=''\n",
	  "line 1" },
	{ "set ed_kernel='/k' \nset ed_initrd='/i'\nset ed_args=''\n",
	  "line 1" },
	{ "set ed_kernel='/k'\nset ed_initrd='/i'\nset ed_args='a", "line 3" },
	{ "set ed_kernel='/k'\nset ed_initrd='/i'\nset ed_args='a'", "line 3" },
	{ "set ed_kernel='/k'\nset ed_initrd='/i'\nset ed_args=''\n\n",
	  "line 4" },
	{ "set ed_initrd='/i'\nset ed_kernel='/k'\nset ed_args=''\n",
	  "line 1" },
};

static void
test_refused(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(refused); i++) {
		AUTO_CLEAR(grub_version) v = { 0 };
		struct err e = { 0 };

		CHECK_SHOW(100 + i,
			   grub_read_version(&v, refused[i].text, "t", &e) <
					   0 &&
				   e.kind == ERR_INPUT && !v.args &&
				   strstr(e.text, refused[i].say),
			   "%s", e.text);
	}
}

static const struct {
	const char *args, *say; /* NULL: as they should be */
} args[] = {
	{ "", NULL },
	{ "console=ttyS0,115200n8 panic=10 ds=nocloud-net;s=http://h/x", NULL },
	{ "root=LABEL=$x a=* b={c}", NULL },
	{ "dyndbg=\"file a.c +p\"", "w: \" in \"dyndbg=" },
	{ "a='b'", "w: ' in" },
	{ "a=b\\c", "w: \\ in" },
	{ "a\nb", "w: byte 0x0a" },
	{ "a\x7f", "w: byte 0x7f" },
	{ "caf\xc3\xa9", "w: byte 0xc3" },
};

static void
test_args(void)
{
	char word[2050];
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(args); i++) {
		int bad = grub_args_check(args[i].args, "w", &e);

		CHECK_SHOW(300 + i,
			   args[i].say ? bad < 0 && e.kind == ERR_INPUT &&
						 strstr(e.text, args[i].say)
				       : bad == 0,
			   "%s", e.text);
		e = (struct err){ 0 };
	}
	memset(word, 'a', sizeof(word));
	word[2048] = '\0';
	CHECK(0, grub_args_check(word, "w", &e) == 0);
	word[2048] = 'a';
	word[2049] = '\0';
	CHECK(1, grub_args_check(word, "w", &e) < 0 &&
			 strstr(e.text, "2,048 bytes"));
}

static void
put(const char *top, const char *name, const char *text)
{
	AUTO_FREE char *path = base_printf("%s/boot/%s", top, name);
	struct err e = { 0 };

	if (file_write(path, text, strlen(text), 0644, &e) < 0)
		die(e.text);
}

static const struct {
	const char *part, *kernel, *initrd;
} kernels[] = {
	/* 10 is above 9, whatever the letters say; empty files are none */
	{ NULL, "/boot/vmlinuz-6.10", "/boot/initramfs-6.10.img" },
	{ "6.9", "/boot/vmlinuz-6.9", "/boot/initrd.img-6.9" },
	{ "6.8", "/boot/vmlinuz-6.8", NULL },
	{ "7", NULL, NULL },
};

static void
test_kernels(void)
{
	AUTO_FREE char *kernel = NULL;
	AUTO_FREE char *initrd = NULL;
	char top[] = "/tmp/edeploy-grub-XXXXXX";
	struct err e = { 0 };
	size_t i;

	if (!mkdtemp(top))
		die("mkdtemp");
	put(top, "vmlinuz-6.9", "k");
	put(top, "initrd.img-6.9", "i");
	put(top, "vmlinuz-6.10", "k");
	put(top, "initramfs-6.10.img", "i");
	put(top, "vmlinuz-6.8", "k");
	put(top, "initrd.img-6.8", "");
	put(top, "vmlinuz-6.7.old", "k");
	put(top, "vmlinuz-7", "");
	for (i = 0; i < ARRAY_LEN(kernels); i++) {
		AUTO_FREE char *one = NULL;
		AUTO_FREE char *beside = NULL;
		int bad = kernel_find(top, kernels[i].part, &one, &beside, &e);

		CHECK_SHOW(200 + i,
			   (bad < 0) == !kernels[i].kernel &&
				   str_eq(one, kernels[i].kernel) &&
				   str_eq(beside, kernels[i].initrd),
			   "%s %s", one, beside);
	}
	CHECK(300, kernel_find_both(top, &kernel, &initrd, &e) == 0 &&
			   str_eq(initrd, "/boot/initramfs-6.10.img"));
	put(top, "vmlinuz-6.11", "k");
	free(kernel);
	free(initrd);
	CHECK(301, kernel_find_both(top, &kernel, &initrd, &e) < 0 &&
			   strstr(e.text, "vmlinuz-6.11 has no initrd"));
	dir_remove(top, &e);
}

int
main(void)
{
	test_kept();
	test_refused();
	test_args();
	test_kernels();
	return test_end();
}
