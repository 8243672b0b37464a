/* grub.cfg, fstab and conf as texts, on trees made of a few files. */
#include <stdio.h>

#include "roots/kernel.h"

#include "agent/boot.h"
#include "agent/own.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "tests/test.h"

static char where[] = "/tmp/boot_test.XXXXXX";

static void
put(const char *path, const char *text)
{
	AUTO_FREE char *there = base_printf("%s%s", where, path);
	struct err e;

	if (file_write(there, text, strlen(text), 0644, &e) < 0)
		abort();
}

static const char debian[] =
	"set root='hd0,gpt2'\n"
	"menuentry 'Debian GNU/Linux' --class debian {\n"
	"\tinsmod ext2\n"
	"\techo\t'Loading Linux 6.1 ...'\n"
	"\tlinux\t/boot/vmlinuz-6.1.0-10 root=UUID=abc ro  quiet a\\;b 'c d'\n"
	"\tinitrd\t/boot/initrd.img-6.1.0-10\n"
	"}\n"
	"menuentry 'old' {\n"
	"\tlinux /boot/vmlinuz-6.1.0-9 root=UUID=abc ro old\n"
	"\tinitrd /boot/initrd.img-6.1.0-9\n"
	"}\n";

static const struct {
	const char *cfg, *part;
	const char *kernel, *initrd, *args; /* kernel NULL: refused */
} entries[] = {
	{ debian, NULL, "/boot/vmlinuz-6.1.0-10", "/boot/initrd.img-6.1.0-10",
	  "root=UUID=abc ro quiet a;b c d" },
	{ debian, "6.1.0-9", "/boot/vmlinuz-6.1.0-9",
	  "/boot/initrd.img-6.1.0-9", "root=UUID=abc ro old" },
	{ debian, "7.0", NULL, NULL, NULL },
	/* /boot is a file system of its own */
	{ "linux /vmlinuz-6.1.0-10 root=x\ninitrd /initrd.img-6.1.0-10\n", NULL,
	  "/boot/vmlinuz-6.1.0-10", "/boot/initrd.img-6.1.0-10", "root=x" },
	{ "linux /boot/vmlinuz-6.1.0-10 root=x\n}\n", NULL,
	  "/boot/vmlinuz-6.1.0-10", NULL, "root=x" },
	{ "linux /boot/nothing root=x\n", NULL, NULL, NULL, NULL },
	{ "linux /boot/empty-1 root=x\n", NULL, NULL, NULL, NULL },
	{ "linux /../../etc/passwd\n", NULL, NULL, NULL, NULL },
	{ "# linux /boot/vmlinuz-6.1.0-10\n", NULL, NULL, NULL, NULL },
	{ "", NULL, NULL, NULL, NULL },
};

/* What is checked before the boot loader is written. */
static const struct {
	const char *cfg, *why; /* NULL: good */
} checks[] = {
	{ debian, NULL },
	{ "linux /boot/vmlinuz-6.1.0-10 root=UUID=abc\n}\n",
	  "without an initrd" },
	{ "linux /boot/vmlinuz-6.1.0-10 root=UUID=abc\n"
	  "initrd /boot/empty-1\n}\n",
	  "names /boot/empty-1" },
	/* GRUB starts the first, not the first that is there */
	{ "linux /boot/vmlinuz-7 root=UUID=abc\ninitrd /boot/initrd.img-7\n}\n"
	  "linux /boot/vmlinuz-6.1.0-9 root=UUID=abc\n"
	  "initrd /boot/initrd.img-6.1.0-9\n}\n",
	  "names /boot/vmlinuz-7" },
	{ "linux /boot/vmlinuz-6.1.0-9 root=/dev/sda1\n"
	  "initrd /boot/initrd.img-6.1.0-9\n",
	  "and not root=UUID=abc" },
	{ "", "no entry" },
};

/* Texts of mounts, in the order of struct layout_mount. */
static char texts[3][5][24] = {
	{ "/dev/vda2", "/", "ext4", "errors=remount-ro", "root-uuid" },
	{ "/dev/vda3", "none", "swap", "defaults", "swap-uuid" },
	{ "/dev/vda1", "/boot", "ext4", "defaults", "boot-uuid" },
};

#define MOUNT(i)                                                               \
	{                                                                      \
		texts[i][0], texts[i][1], texts[i][2], texts[i][3],            \
			texts[i][4]                                            \
	}
static struct layout_mount mounts[] = { MOUNT(0), MOUNT(1), MOUNT(2) };

static const struct {
	size_t mounts;
	const char *old;
	int operator_wrote;
	const char *want;
} fstabs[] = {
	{ 1, "", 0, "UUID=root-uuid / ext4 errors=remount-ro 0 1\n" },
	{ 3, "", 0,
	  "UUID=root-uuid / ext4 errors=remount-ro 0 1\n"
	  "UUID=swap-uuid none swap sw 0 0\n"
	  "UUID=boot-uuid /boot ext4 defaults 0 2\n" },
	{ 1, "# a comment\n/dev/sda1 / ext4 x 0 1\nnas:/x /x nfs rw 0 0\n", 0,
	  "# a comment\nnas:/x /x nfs rw 0 0\n"
	  "UUID=root-uuid / ext4 errors=remount-ro 0 1\n" },
	{ 1, "LABEL=r / ext4 noatime 0 1\n", 1,
	  "LABEL=r / ext4 noatime 0 1\n" },
	{ 1, "nas:/x /x nfs rw 0 0", 1,
	  "nas:/x /x nfs rw 0 0\n"
	  "UUID=root-uuid / ext4 errors=remount-ro 0 1\n" },
};

static const struct {
	const char *text, *want;
} quotes[] = {
	{ "a b=c", "a b=c" },
	{ "ds=x;y", "ds=x\\;y" },
	{ "$x `y` \"z\"", "\\$x \\`y\\` \\\"z\\\"" },
	{ "a\\b", "a\\\\b" },
};

static void
check_entries(void)
{
	size_t i;

	put("/boot/vmlinuz-6.1.0-10", "k");
	put("/boot/initrd.img-6.1.0-10", "i");
	put("/boot/vmlinuz-6.1.0-9", "k");
	put("/boot/initrd.img-6.1.0-9", "i");
	put("/boot/empty-1", "");
	for (i = 0; i < ARRAY_LEN(entries); i++) {
		struct boot_entry b;
		struct err e = { 0 };
		int r;

		put("/boot/grub/grub.cfg", entries[i].cfg);
		r = boot_read_entry(where, entries[i].part, &b, &e);
		CHECK(i, r == (entries[i].kernel ? 0 : -1));
		if (r == 0)
			CHECK_SHOW(
				i,
				str_eq(b.kernel, entries[i].kernel) &&
					str_eq(b.initrd, entries[i].initrd) &&
					str_eq(b.args, entries[i].args),
				"%s %s %s", b.kernel, b.initrd, b.args);
		boot_entry_clear(&b);
	}
}

static void
check_checks(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(checks); i++) {
		struct err e = { 0 };
		int bad;

		put("/boot/grub/grub.cfg", checks[i].cfg);
		bad = boot_check_cfg(where, "root=UUID=abc", &e);
		CHECK_SHOW(i,
			   checks[i].why ? bad && strstr(e.text, checks[i].why)
					 : !bad,
			   "%s", e.text);
	}
}

/* What we print, we read back: also with a /boot of its own. */
static void
check_own_cfg(size_t with)
{
	struct layout l = { .mounts = mounts, .len = with };
	AUTO_CLEAR(buf) text = { 0 };
	struct boot_entry b, back;
	struct err e = { 0 };

	b = (struct boot_entry){ 0 };
	CHECK(with, kernel_find_both(where, &b.kernel, &b.initrd, &e) == 0 &&
			    str_eq(b.kernel, "/boot/vmlinuz-6.1.0-10"));
	b.args = base_strdup("console=ttyS0 ds=a;b$c");
	boot_print_cfg(&l, &b, "mysql 'x' D12", &text);
	put("/boot/grub/grub.cfg", buf_text(&text));
	CHECK(with, boot_read_entry(where, NULL, &back, &e) == 0);
	CHECK_SHOW(with,
		   str_eq(back.kernel, b.kernel) &&
			   str_eq(back.initrd, b.initrd) &&
			   str_eq(back.args, "root=UUID=root-uuid ro "
					     "console=ttyS0 ds=a;b$c"),
		   "%s", buf_text(&text));
	CHECK(with, strstr(buf_text(&text), with == 1 ? "set=root root-uuid"
						      : "set=root boot-uuid"));
	boot_entry_clear(&b);
	boot_entry_clear(&back);
}

/* What firmware finds on a disk, asked before the tree comes. */
static const struct {
	const char *bits; /* NULL: BIOS */
	const char *esp;  /* file system at /boot/efi, or NULL */
	const char *why;  /* NULL: good */
} firmwares[] = {
	{ NULL, NULL, NULL },
	{ NULL, "vfat", NULL },
	{ "64", "vfat", NULL },
	{ "64", NULL, "which boots from an ESP" },
	{ "64", "ext4", "is ext4, and UEFI reads vfat only" },
	{ "32", "vfat", "UEFI is of 32 bits" },
};

static void
check_firmware(size_t i)
{
	static char esp_texts[3][16] = { "/dev/vda1", "/boot/efi", "" };
	struct layout_mount m[2] = { mounts[0] };
	struct layout l = { .mounts = m, .len = firmwares[i].esp ? 2 : 1 };
	const char *const rm[] = { "rm", "-rf", where, NULL };
	struct err e = { 0 };
	int bad;

	proc_ok(rm, NULL, &e);
	if (firmwares[i].bits)
		put("/sys/firmware/efi/fw_platform_size", firmwares[i].bits);
	if (firmwares[i].esp)
		snprintf(esp_texts[2], sizeof(esp_texts[2]), "%s",
			 firmwares[i].esp);
	m[1] = (struct layout_mount){ .node = esp_texts[0],
				      .where = esp_texts[1],
				      .fstype = esp_texts[2] };
	CHECK(i, boot_is_uefi(where) == (firmwares[i].bits != NULL));
	bad = boot_check_firmware(&l, where, &e);
	CHECK_SHOW(i,
		   firmwares[i].why ? bad && strstr(e.text, firmwares[i].why)
				    : !bad,
		   "%s", e.text);
}

static void
check_grub(void)
{
	struct err e = { 0 };

	put("/usr/lib/grub/i386-pc/x.mod", "x");
	CHECK(0, boot_check_grub(where, false, &e) == 0);
	CHECK(1, boot_check_grub(where, true, &e) < 0 &&
			 strstr(e.text, "add grub-efi-amd64-bin to the role"));
}

int
main(void)
{
	const char *const rm[] = { "rm", "-rf", where, NULL };
	const struct own_key keys[] = { { "VERS", "2" },
					{ "SERV", "s" },
					{ "NONE", NULL } };
	AUTO_FREE char *conf = own_conf("VERS=1\nOTHER=x\nVERSION=k", keys, 3);
	struct err e;
	size_t i;

	if (!mkdtemp(where))
		return 1;
	check_entries();
	check_checks();
	check_own_cfg(1);
	check_own_cfg(3);
	for (i = 0; i < ARRAY_LEN(fstabs); i++) {
		struct layout l = { .mounts = mounts, .len = fstabs[i].mounts };
		AUTO_FREE char *got =
			own_fstab(fstabs[i].old, &l, fstabs[i].operator_wrote);

		CHECK_SHOW(i, str_eq(got, fstabs[i].want), "%s", got);
	}
	for (i = 0; i < ARRAY_LEN(quotes); i++) {
		AUTO_CLEAR(buf) out = { 0 };

		boot_quote(quotes[i].text, &out);
		CHECK(i, str_eq(buf_text(&out), quotes[i].want));
	}
	CHECK_SHOW(0, str_eq(conf, "OTHER=x\nVERSION=k\nVERS=2\nSERV=s\n"),
		   "%s", conf);
	for (i = 0; i < ARRAY_LEN(firmwares); i++)
		check_firmware(i);
	check_grub();
	proc_ok(rm, NULL, &e);
	return test_end();
}
