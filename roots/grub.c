/* What was seen of GRUB 2.06: `set fallback` covers load errors only, a kernel
 * that panics or hangs never comes back to it; so it notes each start of a
 * trial in its own file, before. It writes that file in place, which it can on
 * plain partitions and not on LVM, md or btrfs. */
#include <string.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/grub.h"
#include "roots/top.h"

#define VERSION_MAX 65536
#define ARGS_MAX 2048 /* COMMAND_LINE_SIZE of x86 */

void
grub_print_cfg(const char *uuid, const char *module, struct buf *out)
{
	buf_printf(out,
		   "# edeploy: boots the version that /edeploy/boot.cfg names\n"
		   "insmod part_gpt\ninsmod part_msdos\ninsmod %s\n"
		   "insmod loadenv\ninsmod test\ninsmod sleep\n"
		   "set timeout=0\n"
		   "terminal_output console\n"
		   "search --no-floppy --fs-uuid --set=root %s\n",
		   module, uuid);
	/* a stale or damaged boot.cfg leaves none of these unset */
	buf_str(out, "set ed_gen=0\nset ed_good=\nset ed_prev=\nset ed_try=\n"
		     "set ed_left=0\nset ed_again=0\nset ed_tried=\n"
		     "load_env -f /edeploy/grub/grubenv ed_tried\n"
		     "source /edeploy/boot.cfg\n"
		     "if [ -z \"$ed_good\" ]; then\n"
		     "\techo \"edeploy: boot.cfg is damaged\"\n"
		     "\tset ed_try=\n\tset ed_left=0\n"
		     "\tsource /edeploy/boot.good\nfi\n"
		     "set ed_why=\nset ed_end=\n");
	buf_printf(
		out,
		"function ed_boot {\n"
		"\tset ed_kernel=\n\tset ed_initrd=\n\tset ed_args=\n"
		"\tsource /edeploy/roots/$1.grub\n"
		"\techo \"edeploy: $1 $ed_why\"\n"
		"\tif linux $ed_kernel root=UUID=%s init=/edeploy/init "
		"edeploy.root=$1 edeploy.gen=$ed_gen $ed_why $ed_end $ed_args; "
		"then\n"
		"\t\tif initrd $ed_initrd; then boot; fi\n"
		"\tfi\n"
		"}\n",
		uuid);
	buf_str(out,
		"if [ -n \"$ed_try\" -a \"$ed_left\" != 0 ]; then\n"
		"\tif [ \"$ed_tried\" = \"$ed_gen\" ]; then\n"
		"\t\t# started before, and init never counted it\n"
		"\t\tset ed_why=edeploy.fell=grub\n"
		"\telse\n"
		"\t\tset ed_tried=$ed_gen\n"
		"\t\tif save_env -f /edeploy/grub/grubenv ed_tried; then\n"
		"\t\t\t# no shell after a panic or without a root, but the\n"
		"\t\t\t# next start; what the version says itself wins\n"
		"\t\t\tset ed_end=\"panic=10 rd.shell=0 "
		"rd.emergency=reboot\"\n"
		"\t\tfi\n"
		"\t\ted_boot $ed_try\n"
		"\t\tset ed_end=\n"
		"\t\tset ed_why=edeploy.fell=load\n"
		"\tfi\n"
		"elif [ -n \"$ed_try\" ]; then\n"
		"\tset ed_why=edeploy.fell=count\n"
		"fi\n"
		"if [ -n \"$ed_good\" ]; then ed_boot $ed_good; fi\n"
		"# the version before the good one is the last that may boot\n"
		"if [ -n \"$ed_prev\" ]; then\n"
		"\tset ed_gen=0\n"
		"\ted_boot $ed_prev\n"
		"fi\n"
		"echo \"edeploy: nothing boots; again in 10 s\"\n"
		"sleep 10\nreboot\n");
}

int
grub_args_check(const char *args, const char *what, struct err *e)
{
	const char *c;

	for (c = args; *c; c++)
		if (*c < ' ' || *c > '~')
			return err_set(e, ERR_INPUT,
				       "%s: byte 0x%02x; boot arguments are "
				       "printable ASCII on one line",
				       what, (unsigned char)*c);
	c = strpbrk(args, "\"'\\");
	if (c)
		return err_set(e, ERR_INPUT,
			       "%s: %c in \"%.80s\": GRUB hands no kernel "
			       "quotes or backslashes as they are; write boot "
			       "arguments without",
			       what, *c, args);
	if (strlen(args) > ARGS_MAX)
		return err_set(e, ERR_INPUT,
			       "%s: longer than the 2,048 bytes that a kernel "
			       "command line holds",
			       what);
	return 0;
}

static int
print_set(const char *name, const char *value, struct buf *out, struct err *e)
{
	const char *c;

	buf_printf(out, "set %s='", name);
	for (c = value; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return err_set(e, ERR_INPUT,
				       "boot arguments hold a control "
				       "character: \"%.80s\"",
				       value);
		/* as in a shell, nothing is special between these but
		 * themselves */
		if (*c == '\'')
			buf_str(out, "'\\''");
		else
			buf_char(out, *c);
	}
	buf_str(out, "'\n");
	return 0;
}

int
grub_print_version(const char *kernel, const char *initrd, const char *args,
		   struct buf *out, struct err *e)
{
	if (print_set("ed_kernel", kernel, out, e) < 0 ||
	    print_set("ed_initrd", initrd, out, e) < 0)
		return -1;
	return print_set("ed_args", args, out, e);
}

/* The rest of a line behind "set NAME='", unquoted; NULL: not as it is written
 * above. *at goes behind the line. */
static char *
read_quoted(const char **at)
{
	AUTO_CLEAR(buf) value = { 0 };
	const char *c = *at;

	for (; *c && *c != '\n'; c++) {
		if (*c != '\'') {
			buf_char(&value, *c);
		} else if (str_starts(c, "'\\''")) {
			buf_char(&value, '\'');
			c += 3;
		} else if (c[1] == '\n') {
			*at = c + 2;
			return buf_take(&value);
		} else {
			return NULL;
		}
	}
	return NULL;
}

int
grub_read_version(struct grub_version *out, const char *text, const char *name,
		  struct err *e)
{
	static const char *const keys[] = { "set ed_kernel='",
					    "set ed_initrd='",
					    "set ed_args='" };
	char **into[] = { &out->kernel, &out->initrd, &out->args };
	size_t i;

	*out = (struct grub_version){ 0 };
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		if (!str_starts(text, keys[i]))
			break;
		text += strlen(keys[i]);
		*into[i] = read_quoted(&text);
		if (!*into[i])
			break;
	}
	if (i == ARRAY_LEN(keys) && !*text)
		return 0;
	grub_version_clear(out);
	return err_set(e, ERR_INPUT, "%s, line %zu: not as edeploy writes it",
		       name, i + 1);
}

int
grub_load_version(struct grub_version *out, const char *top,
		  const char *version, struct err *e)
{
	AUTO_FREE char *root = top_root(top, version);
	AUTO_FREE char *path = base_printf("%s.grub", root);
	AUTO_FREE char *text = NULL;

	*out = (struct grub_version){ 0 };
	if (file_read(path, VERSION_MAX, &text, NULL, e) < 0)
		return -1;
	return grub_read_version(out, text, path, e);
}

void
grub_version_clear(struct grub_version *v)
{
	free(v->kernel);
	free(v->initrd);
	free(v->args);
	*v = (struct grub_version){ 0 };
}

void
grub_print_env(struct buf *out)
{
	static const char head[] = "# GRUB Environment Block\n";
	size_t i;

	buf_str(out, head);
	for (i = strlen(head); i < 1024; i++)
		buf_char(out, '#');
}
