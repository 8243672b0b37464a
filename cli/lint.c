/* Lua stays in the agent: a script is looked at by running edeploy-agent lint,
 * which stands where edeployctl stands. */
#include <stdio.h>
#include <unistd.h>

#include "cli/lint.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/proc.h"

#define LINT_MS 10000
#define LINT_BYTES ((size_t)1024 * 1024)

static char *
agent_path(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	AUTO_FREE char *beside = NULL;
	char *slash;

	self[n < 0 ? 0 : n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		beside = base_printf("%.*s/edeploy-agent", (int)(slash - self),
				     self);
	if (beside && access(beside, X_OK) == 0)
		return STEAL(beside);
	return base_strdup("edeploy-agent");
}

static void
add(struct value *problems, const char *file, const char *level,
    const char *message)
{
	struct value *v = value_dict();

	value_set_str(v, "file", file);
	value_set_int(v, "line", 0);
	value_set_str(v, "level", level);
	value_set_str(v, "message", message);
	value_push(problems, v);
}

/* A name that is there in some entries only is nil in the others. */
static void
judge_name(const char *path, const char *name, const struct value *names,
	   struct value *problems)
{
	int64_t missing = value_get_int(names, name, -1);
	AUTO_FREE char *text = NULL;

	if (missing == 0)
		return;
	text = missing < 0
		       ? base_printf("%s: uses var.%s, which no pattern and "
				     "no CMDB entry gives",
				     path, name)
		       : base_printf("%s: uses var.%s, which %lld entries of "
				     "the CMDB do not have",
				     path, name, (long long)missing);
	add(problems, path, "warning", text);
}

static void
judge_script(const char *path, const struct value *said,
	     const struct value *names, struct value *problems)
{
	const struct value *ok = value_get(said, "ok");
	const struct value *vars = value_get(said, "vars");
	const char *error = value_get_str(said, "error");

	if (!ok || ok->kind != VALUE_BOOL || !ok->boolean) {
		/* it names the file, as Lua does, without its folder */
		AUTO_FREE char *text = base_printf(
			"%.*s%s", (int)(strrchr(path, '/') + 1 - path), path,
			error ? error : "no Lua");

		add(problems, path, "error", text);
		return;
	}
	for (size_t i = 0;
	     vars && vars->kind == VALUE_LIST && i < vars->list.len; i++)
		if (vars->list.at[i]->kind == VALUE_STR)
			judge_name(path, vars->list.at[i]->str.at, names,
				   problems);
}

/* 0, or -1 when no script can be looked at. */
static int
lint_one(const char *agent, const char *path, const struct value *names,
	 struct value *problems)
{
	const char *argv[] = { agent, "lint", "--json", path, NULL };
	struct proc_opts opts = { .deadline_ms = LINT_MS,
				  .keep = LINT_BYTES,
				  .split_stderr = true };
	AUTO_CLEAR(proc) p = { 0 };
	AUTO_FREE char *text = NULL;
	struct value *said = NULL;
	struct err e = { 0 };
	int failed = proc_run(argv, &opts, &p, &e);

	if (failed == 0 &&
	    json_parse(&said, buf_text(&p.out), p.out.len, &e) == 0) {
		judge_script(path, said, names, problems);
		value_free(said);
		return 0;
	}
	text = base_printf("%s: is not looked at: %s lint: %s", path, agent,
			   e.text);
	add(problems, path, "warning", text);
	return failed;
}

void
lint_scripts(const struct conf *c, const struct value *names,
	     struct value *problems)
{
	AUTO_FREE char *agent = agent_path();

	for (size_t i = 0; i < names->dict.len; i++) {
		const char *profile = names->dict.at[i].key;
		AUTO_FREE char *path =
			base_printf("%s/%s.configure", c->configdir, profile);

		if (lint_one(agent, path, names->dict.at[i].value, problems) <
		    0)
			return;
	}
}
