/* grub.cfg as text. Nothing here touches a disk. */
#include <ctype.h>
#include <stdio.h>

#include "lib/file.h"

#include "roots/kernel.h"

#include "agent/boot.h"

#define CFG_MAX (4 * 1024 * 1024)

void
boot_entry_clear(struct boot_entry *b)
{
	free(b->kernel);
	free(b->initrd);
	free(b->args);
	free(b->missing);
	*b = (struct boot_entry){ 0 };
}

/* ---- grub.cfg that somebody wrote ---- */

/* The next word of GRUB's language in the rest of a line, unquoted; NULL at
 * the end. Owned. */
static char *
next_word(const char **at)
{
	AUTO_CLEAR(buf) word = { 0 };
	const char *c = *at;
	char quote = '\0';

	while (*c == ' ' || *c == '\t')
		c++;
	if (!*c || *c == '#')
		return NULL;
	for (; *c && (quote || (*c != ' ' && *c != '\t')); c++) {
		if (quote && *c == quote)
			quote = '\0';
		else if (!quote && (*c == '\'' || *c == '"'))
			quote = *c;
		else if (*c == '\\' && quote != '\'' && c[1])
			buf_char(&word, *++c);
		else
			buf_char(&word, *c);
	}
	*at = c;
	return buf_take(&word);
}

/* A path of GRUB's in the tree: as it stands, or below /boot when that is a
 * file system of its own. Owned; NULL when there is no such file. */
static char *
path_in_tree(const char *root, const char *path)
{
	AUTO_FREE char *below_boot = base_printf("/boot%s", path);

	if (*path != '/' || strstr(path, ".."))
		return NULL;
	if (kernel_is_whole(root, path))
		return base_strdup(path);
	return kernel_is_whole(root, below_boot) ? STEAL(below_boot) : NULL;
}

/* The same for a file that an entry names: the first one that is not there is
 * kept for who wants to know whether GRUB would get this far. */
static char *
find_named(const char *root, const char *path, struct boot_entry *out)
{
	char *there = path_in_tree(root, path);

	if (!there && !out->missing)
		out->missing = base_strdup(path);
	return there;
}

static void
take_linux(const char *root, const char *part, const char *rest,
	   struct boot_entry *out)
{
	AUTO_FREE char *path = next_word(&rest);
	AUTO_CLEAR(buf) args = { 0 };
	char *word;

	if (!path || (part && !strstr(path, part)))
		return;
	free(out->args);
	out->kernel = find_named(root, path, out);
	while ((word = next_word(&rest))) {
		buf_printf(&args, "%s%s", args.len ? " " : "", word);
		free(word);
	}
	out->args = buf_take(&args);
}

/* One line. True when the entry is complete. */
static bool
take_line(const char *root, const char *part, const char *line,
	  struct boot_entry *out)
{
	AUTO_FREE char *command = next_word(&line);

	if (!command)
		return false;
	if (!out->kernel &&
	    (str_eq(command, "linux") || str_eq(command, "linux16") ||
	     str_eq(command, "linuxefi"))) {
		take_linux(root, part, line, out);
		return false;
	}
	if (out->kernel &&
	    (str_eq(command, "initrd") || str_eq(command, "initrd16") ||
	     str_eq(command, "initrdefi"))) {
		AUTO_FREE char *path = next_word(&line);

		out->initrd = path ? find_named(root, path, out) : NULL;
		return true;
	}
	return out->kernel && str_eq(command, "}");
}

int
boot_read_entry(const char *root, const char *part, struct boot_entry *out,
		struct err *e)
{
	static const char *const places[] = { "/boot/grub/grub.cfg",
					      "/boot/grub2/grub.cfg" };
	AUTO_FREE char *text = NULL;
	char *at, *line;
	size_t i;

	*out = (struct boot_entry){ 0 };
	for (i = 0; i < ARRAY_LEN(places) && !text; i++) {
		AUTO_FREE char *path = base_printf("%s%s", root, places[i]);

		if (file_exists(path) &&
		    file_read(path, CFG_MAX, &text, NULL, e) < 0)
			return -1;
	}
	for (at = text; at && (line = strsep(&at, "\n"));)
		if (take_line(root, part, line, out))
			break;
	if (!out->kernel)
		return err_set(e, ERR_INPUT,
			       "no entry of grub.cfg in %s names a kernel%s%s "
			       "that is there",
			       root, part ? " named like " : "",
			       part ? part : "");
	return 0;
}

int
boot_check_cfg(const char *root, const char *root_words, struct err *e)
{
	struct boot_entry b = { 0 };
	int bad = boot_read_entry(root, NULL, &b, e);

	if (!bad && b.missing)
		bad = err_set(e, ERR_INPUT,
			      "grub.cfg names %.100s, which is not there or "
			      "empty",
			      b.missing);
	else if (!bad && !b.initrd)
		bad = err_set(e, ERR_INPUT,
			      "grub.cfg starts %.100s without an initrd, and a "
			      "kernel alone cannot find its root by UUID: make "
			      "one in the role",
			      b.kernel);
	else if (!bad && !strstr(b.args, root_words))
		bad = err_set(e, ERR_INPUT,
			      "grub.cfg boots \"%.100s\" and not %s", b.args,
			      root_words);
	boot_entry_clear(&b);
	return bad;
}

/* ---- grub.cfg of our own ---- */

void
boot_quote(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) &&
		    !strchr(" /._-=:,+@%^~", *text))
			buf_char(out, '\\');
		buf_char(out, *text);
	}
}

/* A path of the tree as GRUB sees it on the file system that holds it. */
static const char *
path_for_grub(const struct layout *l, const char *path)
{
	const struct layout_mount *m = layout_holding(l, path);

	return str_eq(m->where, "/") ? path : path + strlen(m->where);
}

void
boot_print_cfg(const struct layout *l, const struct boot_entry *b,
	       const char *title, struct buf *out)
{
	const struct layout_mount *m = layout_holding(l, b->kernel);
	AUTO_FREE char *root = layout_root_words(l);

	buf_str(out, "# written by edeploy at installation\n"
		     "set default=0\nset timeout=1\n"
		     "insmod part_gpt\ninsmod part_msdos\n");
	buf_printf(out, "insmod %s\n",
		   str_starts(m->fstype, "ext") ? "ext2" : m->fstype);
	buf_printf(out, "search --no-floppy --fs-uuid --set=root %s\n",
		   m->uuid);
	buf_str(out, "menuentry \"");
	boot_quote(title, out);
	buf_str(out, "\" {\n\tlinux ");
	boot_quote(path_for_grub(l, b->kernel), out);
	buf_printf(out, " %s ro", root);
	if (*b->args) {
		buf_char(out, ' ');
		boot_quote(b->args, out);
	}
	if (b->initrd) {
		buf_str(out, "\n\tinitrd ");
		boot_quote(path_for_grub(l, b->initrd), out);
	}
	buf_str(out, "\n}\n");
}
