/* Configure scripts: what they can do, what they cannot, and what is said of
 * one that fails. Commands really run; disks are in disk_test.c. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/proc.h"

#include "agent/own.h"
#include "agent/script.h"
#include "agent/script_lint.h"
#include "tests/test.h"

static char dir[] = "/tmp/edeploy-script-XXXXXX";
static char *post;
static struct buf said;
static int ticks_left;

static void
say(void *ctx, const char *line)
{
	(void)ctx;
	buf_printf(&said, "%s\n", line);
}

static void
output(void *ctx, const char *bytes, size_t len)
{
	(void)ctx;
	buf_add(&said, bytes, len);
}

static int
tick(void *ctx)
{
	(void)ctx;
	return ticks_left > 0 && --ticks_left == 0;
}

static int
run_script(const char *text, int deadline_ms, struct script_result *r,
	   struct err *e)
{
	const struct script_env env = { .identity = "m1 test",
					.chroot = dir,
					.post_rsync = post,
					.sys_root = "",
					.memory_bytes = 8u * 1024 * 1024,
					.deadline_ms = deadline_ms,
					.say = say,
					.output = output,
					.tick = tick };

	said.len = 0;
	buf_str(&said, "");
	return script_run(&env, "vm.configure", text, strlen(text), r, e);
}

/* ---- scripts that end well: `log` is in what was said ---- */

#define END "\nboot_local()"

static const struct {
	const char *text, *log;
} good[] = {
	{ "boot_local()", "" },
	{ "log('a %d %s', 3, 'b')" END, "a 3 b\n" },
	{ "log('100%')" END, "100%\n" },
	{ "print('x', 1, nil)" END, "x 1 nil\n" },
	{ "log('a\\nb\\27[2J')" END, "a\\nb\\x1b[2J" },
	{ "run('echo hello')" END, "+ echo hello\nhello\n" },
	{ "run('echo out; echo err >&2')" END, "err\n" },
	{ "assert(run('printf \"a\\n\\n\"') == 'a')" END, "" },
	{ "assert(run('date +%s'):match('^%d+$'))" END, "" },
	/* every argument is one word, whatever is in it */
	{ "local x = [[a'b\"c $(id) `id` \\ * ?\n-x;&|<>]]\n"
	  "assert(run('printf %%s %s', x) == x)" END,
	  "" },
	{ "assert(run('for a in %s; do echo \"[$a]\"; done', '-n') == "
	  "'[-n]')" END,
	  "" },
	{ "assert(run('printf \"<%%s>\" %s %s', '', 'b c') == '<><b c>')" END,
	  "" },
	{ "assert(run('echo %d %05.1f %x %%', 7, 2.25, 255) == "
	  "'7 002.2 ff %')" END,
	  "" },
	{ "assert(run{'printf', '%s|', '$(id)', \"a'b\", ''} == "
	  "\"$(id)|a'b||\")" END,
	  "+ printf '%s|' '$(id)' 'a'\\''b' ''" },
	{ "assert(run{'cat', input='hello'} == 'hello')" END, "" },
	{ "local t, s = run{'sh', '-c', 'exit 3', ok={0, 3}} assert(s == "
	  "3)" END,
	  "" },
	{ "local ok, why = pcall(run, 'exit 4') assert(not ok) log(why)" END,
	  "vm.configure:1: exit 4: exit status 4" },
	{ "assert(#run('head -c 3000000 /dev/zero | tr \"\\\\0\" x') == "
	  "1024 * 1024)" END,
	  "" },
	{ "assert(template('a ${b} ${c} $${b} $', {b = 1, c = 'x'}) == "
	  "'a 1 x ${b} $')" END,
	  "" },
	{ "var = {ip = '10.0.0.1'} assert(template('${ip}') == '10.0.0.1')" END,
	  "" },
	/* what is kept of Lua */
	{ "assert(os.time() > 0 and os.date() and os.getenv('PATH'))" END, "" },
	{ "assert(io.open('/etc/passwd'):read('a'):find('root'))" END, "" },
	{ "for l in io.lines('/etc/passwd') do assert(l) end" END, "" },
	{ "for l in io.lines() do error('the console') end" END, "" },
	{ "assert(load('return 1 + 1')() == 2)" END, "" },
	{ "local x = load('y = 3', 'n', 'bt', _ENV) x() assert(y == 3)" END,
	  "" },
	{ "local e = {} load('z = 4', 'n', 't', e)() assert(e.z == 4 and "
	  "not z)" END,
	  "" },
	{ "assert(setmetatable({}, {__index = {a = 1}}).a == 1)" END, "" },
	{ "assert(utf8.char(228) == 'ä' and math.max(1, 2) == 2)" END, "" },
	{ "collectgarbage()" END, "" },
	{ "assert(type(disk.list()) == 'table')" END, "" },
	/* what is not there */
	{ "assert(not os.execute and not os.exit and not os.remove and "
	  "not os.rename and not os.tmpname and not os.setlocale)" END,
	  "" },
	{ "assert(not io.popen and not io.write and not io.stdout)" END, "" },
	{ "assert(not package and not require and not debug and not dofile "
	  "and not loadfile and not coroutine and not warn)" END,
	  "" },
	{ "assert(not string.dump and not ('').dump)" END, "" },
	{ "local f, why = load('\\27Lua') assert(not f and why)" END, "" },
	{ "assert(not load('\\27Lua', 'n', 'b'))" END, "" },
	{ "assert(not pcall(setmetatable, {}, {__gc = print}))" END, "" },
};

static void
test_good(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		struct script_result r;
		struct err e = { 0 };
		int bad = run_script(good[i].text, 0, &r, &e);

		CHECK_SHOW(i, !bad, "%s: %s", good[i].text, e.text);
		CHECK_SHOW(i, strstr(buf_text(&said), good[i].log), "%s",
			   buf_text(&said));
		CHECK(i, bad || r.boot_local);
		CHECK(i, bad || (!r.failure.file && !r.failure.command));
		script_result_clear(&r);
	}
}

/* ---- scripts that fail ---- */

static const struct {
	const char *text, *why; /* `why` is in the error's text */
	int line;
	const char *command; /* NULL: no command failed */
	int status;
} bad_rows[] = {
	{ "run('false')", "vm.configure:1: false: exit status 1", 1, "false",
	  1 },
	{ "\n\nrun('echo one; echo two >&2; exit 7')",
	  "vm.configure:3: echo one; echo two >&2; exit 7: exit status 7: two",
	  3, "echo one; echo two >&2; exit 7", 7 },
	{ "run{'no-such-program', 'x'}", "no-such-program", 1,
	  "no-such-program x", 127 },
	{ "run{'sh', '-c', 'kill -9 $$'}", "signal 9", 1, "sh -c 'kill -9 $$'",
	  137 },
	{ "run{'sleep', '30', seconds = 1}", "stopped after 1 s", 1, "sleep 30",
	  137 },
	/* the innermost line of the operator, through any number of calls */
	{ "local function a()\n  run('exit 2')\nend\nlocal function b()\n"
	  "  a()\nend\nb()",
	  "vm.configure:2: exit 2", 2, "exit 2", 2 },
	{ "table.sort({3, 2, 1}, function(a, b)\n  run('exit 2')\nend)",
	  "vm.configure:2", 2, "exit 2", 2 },
	{ "local function f()\n  local x = nil\n  return x.y\nend\nf()",
	  "vm.configure:3: attempt to index", 3, NULL, 0 },
	{ "pcall(run, 'exit 5')\nerror('other')", "vm.configure:2: other", 2,
	  NULL, 0 },
	{ "\nerror('plain', 0)", "vm.configure:2: plain", 2, NULL, 0 },
	{ "\nerror({})", "vm.configure:2: table", 2, NULL, 0 },
	{ "x = 1\nif then", "vm.configure:2: unexpected symbol", 2, NULL, 0 },
	{ "os.execute('id')", "attempt to call a nil value", 1, NULL, 0 },
	{ "\x1bLua", "attempt to load a binary chunk", 0, NULL, 0 },
	/* run's own mistakes */
	{ "run('echo %s %s', 'a')", "no argument", 1, NULL, 0 },
	{ "run('echo %s', 'a', 'b')", "2 arguments for the 1 directives", 1,
	  NULL, 0 },
	{ "run('echo %c', 'a')", "is no directive", 1, NULL, 0 },
	{ "run('echo %10s', 'a')", "takes no width", 1, NULL, 0 },
	{ "run('echo %s', nil)", "string expected, got nil", 1, NULL, 0 },
	{ "run('echo %d', 'x')", "number expected", 1, NULL, 0 },
	{ "run('echo %s', 'a\\0b')", "NUL byte", 1, NULL, 0 },
	{ "run{}", "a program", 1, NULL, 0 },
	{ "run{'true', okay = {1}}", "no option 'okay'", 1, NULL, 0 },
	/* the words that decide */
	{ "log('x')", "ended without set_role", 0, NULL, 0 },
	{ "set_role('a/b', '1', 'null')", "names of at most 64", 1, NULL, 0 },
	{ "set_role('a', '..', 'null')", "names of at most 64", 1, NULL, 0 },
	{ "set_role('a', '1', 'null')", "/dev/null is no disk", 1, NULL, 0 },
	{ "set_role('a', '1', '/etc/passwd')", "below /dev", 1, NULL, 0 },
	{ "set_role('a', '1', 'no-such')", "No such file", 1, NULL, 0 },
	{ "set_role('a', '1')", "string expected", 1, NULL, 0 },
	{ "grub_options('a\\nb')", "one line", 1, NULL, 0 },
	{ "grub_options('dyndbg=\"file x +p\"')", "quotes", 1, NULL, 0 },
	{ "grub_options('caf\\u{e9}')", "byte 0xc3", 1, NULL, 0 },
	{ "tree_from('ftp')", "'rsync' or http://", 1, NULL, 0 },
	{ "tree_from('http://h/../x')", "without \"..\"", 1, NULL, 0 },
	{ "tree_from()", "string expected", 1, NULL, 0 },
	{ "layout('zfs')", "'plain' or 'versioned'", 1, NULL, 0 },
	{ "layout()", "string expected", 1, NULL, 0 },
	{ "modules('../x')", "no name of a module", 1, NULL, 0 },
	{ "password('root', 'plain')", "is no hash", 1, NULL, 0 },
	{ "password('root', '$6$a:b')", "is no hash", 1, NULL, 0 },
	{ "password('a\\nb', '$6$a')", "is no name of a user", 1, NULL, 0 },
	{ "template('${no}', {})", "nothing is called 'no'", 1, NULL, 0 },
	{ "template('${no', {})", "without its \"}\"", 1, NULL, 0 },
	{ "config('/../x', '')", "has \"..\"", 1, NULL, 0 },
	{ "config('/a/..', '')", "has \"..\"", 1, NULL, 0 },
	{ "config('etc/x', '')", "no absolute path", 1, NULL, 0 },
	{ "config('/x', '', {mode = '99'})", "octal", 1, NULL, 0 },
	{ "config('/x', '', {moed = '0600'})", "no option 'moed'", 1, NULL, 0 },
	{ "disk.label('no-such-disk')", "no-such-disk", 1, NULL, 0 },
	{ "disk.label('/dev/null')", "no block device", 1, NULL, 0 },
	{ "disk.find{serial = 'nobody has this'}", "none of this machine's", 1,
	  NULL, 0 },
	{ "disk.find{sreial = 'x'}", "no option 'sreial'", 1, NULL, 0 },
	/* memory */
	{ "local t = {}\nwhile true do\n  t[#t + 1] = ('x'):rep(1e5) .. #t\n"
	  "end",
	  "more memory", 3, NULL, 0 },
	{ "\nlocal s = ('x'):rep(1e9)", "memory", 2, NULL, 0 },
};

static void
test_bad(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad_rows); i++) {
		struct script_result r;
		struct err e = { 0 };
		int bad = run_script(bad_rows[i].text, 0, &r, &e);
		const struct script_failure *f = &r.failure;

		CHECK(i, bad && e.kind != ERR_NONE);
		CHECK_SHOW(i, strstr(e.text, bad_rows[i].why), "%s: %s",
			   bad_rows[i].text, e.text);
		CHECK_SHOW(i, f->line == bad_rows[i].line, "line %d in %s",
			   f->line, bad_rows[i].text);
		CHECK_SHOW(i, str_eq(f->command, bad_rows[i].command), "%s",
			   f->command ? f->command : "none");
		CHECK_SHOW(i, f->status == bad_rows[i].status, "status %d",
			   f->status);
		script_result_clear(&r);
	}
}

/* ---- time ---- */

static const struct {
	const char *text;
	int deadline_ms, ticks;
	const char *why;
} ends[] = {
	{ "while true do end", 300, 0, "longer than its deadline" },
	{ "while true do pcall(function() while true do end end) end", 300, 0,
	  "longer than its deadline" },
	{ "local function f() return pcall(f) end\n"
	  "while true do f() end",
	  300, 0, "longer than its deadline" },
	{ "run('sleep 30')", 300, 0, "longer than its deadline" },
	{ "run('sleep 30')", 0, 2, "cancelled" },
	{ "while true do end", 0, 50, "cancelled" },
	{ "while true do pcall(run, 'sleep 30') end", 0, 2, "cancelled" },
};

static void
test_ends(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(ends); i++) {
		struct script_result r;
		struct err e = { 0 };
		int64_t start = clock_boot_ms();
		int bad;

		ticks_left = ends[i].ticks;
		bad = run_script(ends[i].text, ends[i].deadline_ms, &r, &e);
		ticks_left = 0;
		CHECK(i, bad && e.kind == ERR_REFUSED);
		CHECK_SHOW(i, strstr(e.text, ends[i].why), "%s", e.text);
		CHECK_SHOW(i, clock_boot_ms() - start < 10000, "%lld ms",
			   (long long)(clock_boot_ms() - start));
		script_result_clear(&r);
	}
}

/* ---- the text that the server sends ---- */

#define HEAD                                                                   \
	"-- EDEPLOY_PROFILE = vm\n"                                            \
	"var = {[\"edeploy-profile\"] = \"vm\", [\"ip\"] = \"10.0.0.3\", "     \
	"[\"metadata_url\"] = \"http://x/\"}\n"

static const struct {
	const char *text, *why; /* NULL: ends well */
	int line;
	const char *file;
} headers[] = {
	{ HEAD "-- EDEPLOY_CONFIGURE = vm.configure\n"
	       "assert(var.ip == '10.0.0.3')\nboot_local()\n",
	  NULL, 0, NULL },
	{ HEAD "-- EDEPLOY_CONFIGURE = hp.configure\nerror('first')\n",
	  "hp.configure:1: first", 1, "hp.configure" },
	{ HEAD "-- EDEPLOY_CONFIGURE = hp.configure\n\nx(\n",
	  "hp.configure:", 3, "hp.configure" },
	{ HEAD "-- EDEPLOY_CONFIGURE = ../x\nboot_local()\n",
	  "line 3 does not name", 0, NULL },
	{ HEAD "boot_local()\n", "line 3 does not name", 0, NULL },
	{ "-- EDEPLOY_PROFILE = vm\nvar = {\n"
	  "-- EDEPLOY_CONFIGURE = vm.configure\nboot_local()\n",
	  "header:", 4, "header" },
};

static void
test_headers(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(headers); i++) {
		struct script_result r;
		struct err e = { 0 };
		int bad = run_script(headers[i].text, 0, &r, &e);

		CHECK_SHOW(i, bad == (headers[i].why ? -1 : 0), "%s", e.text);
		CHECK_SHOW(i, !bad || strstr(e.text, headers[i].why), "%s",
			   e.text);
		CHECK_SHOW(i, r.failure.line == headers[i].line, "line %d",
			   r.failure.line);
		CHECK(i, str_eq(r.failure.file, headers[i].file));
		CHECK(i, bad || (str_eq(r.profile, "vm") &&
				 str_eq(r.metadata_url, "http://x/")));
		script_result_clear(&r);
	}
}

/* ---- files ---- */

static const struct {
	const char *text, *path, *want;
	mode_t mode;
} files[] = {
	{ "config('/etc/hostname', 'host3\\n')", "/etc/hostname", "host3\n",
	  0644 },
	{ "config('/etc/a/b/c', '\\0x', {mode = '0600'})", "/etc/a/b/c", "",
	  0600 },
	{ "config('/etc/d', 'x', {mode = 0640})", "/etc/d", "x", 0640 },
	{ "config('/etc/e', 'a') config('/etc/e', 'b', {append = true})",
	  "/etc/e", "ab", 0644 },
	{ "local f = config('/etc/f', nil, {mode = '0755'})\n"
	  "f:write('x', 1, '\\n') f:close()",
	  "/etc/f", "x1\n", 0755 },
	{ "config('/etc/g'):write('left open')", "/etc/g", "left open", 0644 },
	{ "config('/etc/..h', 'dots')", "/etc/..h", "dots", 0644 },
	{ "inject_facts({b = 'x \"y\"', a = 3, c = true})",
	  "/etc/facter/facts.d/edeploy.yaml",
	  "---\n\"hw_a\": 3\n\"hw_b\": \"x \\\"y\\\"\"\n\"hw_c\": true\n",
	  0644 },
	{ "inject_facts({a = '1\\n2'}, {prefix = ''})",
	  "/etc/facter/facts.d/edeploy.yaml", "---\n\"a\": \"1\\x0a2\"\n",
	  0644 },
};

static void
test_files(void)
{
	size_t i;

	if (geteuid() != 0) {
		test_skip("files of a script are root's");
		return;
	}
	for (i = 0; i < ARRAY_LEN(files); i++) {
		AUTO_FREE char *text = base_printf("%s" END, files[i].text);
		AUTO_FREE char *path = base_printf("%s%s", post, files[i].path);
		AUTO_FREE char *got = NULL;
		struct script_result r;
		struct err e = { 0 };
		struct stat st = { 0 };
		size_t len;

		CHECK_SHOW(i, run_script(text, 0, &r, &e) == 0, "%s", e.text);
		CHECK(i, stat(path, &st) == 0 &&
				 (st.st_mode & 07777) == files[i].mode);
		CHECK_SHOW(i,
			   file_read(path, 4096, &got, &len, &e) == 0 &&
				   str_eq(got, files[i].want),
			   "%s", got ? got : e.text);
		script_result_clear(&r);
	}
}

static void
test_words(void)
{
	struct script_result r;
	struct err e = { 0 };

	CHECK(0, run_script("grub_options('quiet splash') modules('bonding') "
			    "modules('8021q', 'dummy')" END,
			    0, &r, &e) == 0);
	CHECK(0, str_eq(r.passwords, ""));
	CHECK(0, str_eq(r.grub_options, "quiet splash"));
	CHECK(0, str_eq(r.modules, "bonding\n8021q\ndummy\n"));
	script_result_clear(&r);
}

/* ---- passwords ---- */

#define SHADOW "root:*:19000:0:99999:7:::\nmysql:!:1::::::\nroot2:x:::::::\n"

static const struct {
	const char *old, *sets, *want; /* NULL: refused */
} shadows[] = {
	{ SHADOW, "", SHADOW },
	{ SHADOW, "root:$6$a\n",
	  "root:$6$a:19000:0:99999:7:::\nmysql:!:1::::::\nroot2:x:::::::\n" },
	{ SHADOW, "root:$6$a\nmysql:$6$b\nroot:$6$c\n",
	  "root:$6$c:19000:0:99999:7:::\nmysql:$6$b:1::::::\n"
	  "root2:x:::::::\n" },
	{ "root:", "root:$6$a\n", "root:$6$a" },
	{ SHADOW, "nobody:$6$a\n", NULL },
	{ SHADOW, "roo:$6$a\n", NULL },
	{ "", "root:$6$a\n", NULL },
};

static void
test_shadow(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(shadows); i++) {
		struct err e = { 0 };
		AUTO_FREE char *got =
			own_shadow(shadows[i].old, shadows[i].sets, &e);

		CHECK_SHOW(i, str_eq(got, shadows[i].want), "%s",
			   got ? got : e.text);
	}
}

/* ---- lint ---- */

static const struct {
	const char *text, *names; /* joined by blanks */
	int line;                 /* of the syntax error, 0: none */
} lints[] = {
	{ "local d = var.disk", "disk", 0 },
	{ "x(var.b, var.a, var.b)", "a b", 0 },
	{ "x(var['edeploy-profile'], var [ \"ip\" ])", "edeploy-profile ip",
	  0 },
	{ "-- var.no\nlocal s = 'var.no' --[[ var.no ]] x(var.yes)", "yes", 0 },
	{ "--[==[ var.no ]] var.no ]==] x(var.yes, [=[var.no]=])", "yes", 0 },
	{ "x(y.var.no, y:var('no'), my_var.no)", "", 0 },
	{ "x(var[1], var[i], var['a' .. 'b'])", "", 0 },
	{ "x('a' .. var.b .. var['c'] ..var.d)", "b c d", 0 },
	{ "x(var..'a')", "", 0 },
	{ "x(var[var.inner])", "inner", 0 },
	{ "x(var\n.\nname)", "name", 0 },
	{ "local s = 'it\\'s' x(var.yes)", "yes", 0 },
	{ "x(var.a)\nif then", "a", 2 },
	{ "x('unfinished", "", 1 },
	{ "--[[ unfinished var.no", "", 1 },
	{ "", "", 0 },
	{ "while true do end", "", 0 },
};

static void
test_lint(void)
{
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(lints); i++) {
		size_t len = strlen(lints[i].text);
		struct value *names = script_vars(lints[i].text, len);
		AUTO_CLEAR(buf) joined = { 0 };
		struct err e = { 0 };
		int line;
		int bad = script_compile("x.configure", lints[i].text, len,
					 &line, &e);

		for (k = 0; k < names->list.len; k++)
			buf_printf(&joined, "%s%s", k ? " " : "",
				   names->list.at[k]->str.at);
		CHECK_SHOW(i, str_eq(buf_text(&joined), lints[i].names), "%s",
			   buf_text(&joined));
		CHECK_SHOW(i,
			   (bad != 0) == (lints[i].line != 0) &&
				   line == lints[i].line,
			   "line %d: %s", line, e.text);
		value_free(names);
	}
}

int
main(void)
{
	const char *const clean[] = { "rm", "-rf", dir, NULL };
	struct err e = { 0 };

	if (!mkdtemp(dir))
		return 99;
	post = base_printf("%s/post_rsync", dir);
	test_good();
	test_bad();
	test_ends();
	test_headers();
	test_files();
	test_words();
	test_shadow();
	test_lint();
	CHECK(0, proc_ok(clean, NULL, &e) == 0);
	buf_clear(&said);
	free(post);
	return test_end();
}
