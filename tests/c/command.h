/* Commands for the tests of par_run: written as one line, run with what they need. */
#ifndef COMMAND_H
#define COMMAND_H
#include "promise.h"

#define MOST 300 /* commands of a call */

/* argv of `sh -c SCRIPT`; lives as long as the process. */
static inline const char *const *sh(const char *script)
{
    static const char *argvs[1024][4];
    static int used;
    int mine = ADD(used, 1) - 1;
    CHECK(mine < 1024);
    const char **argv = argvs[mine];
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    return argv;
}

static inline par_command with_argv(const char *const *argv)
{
    par_command command = {0};
    command.size = sizeof command;
    command.argv = argv;
    return command;
}

static inline par_command shell(const char *script)
{
    return with_argv(sh(script));
}

/* Runs one script with these options and gives its outcome, which the caller frees. */
static inline par_outcome run_one(par_command command, const par_options *options)
{
    par_outcome outcome;
    memset(&outcome, 0x5a, sizeof outcome);
    (void)par_run(&command, &outcome, 1, options);
    return outcome;
}

static inline void check_bytes(par_bytes bytes, const char *expected, size_t len)
{
    if (bytes.len != len || (len > 0 && memcmp(bytes.data, expected, len) != 0))
        broken(__FILE__, __LINE__, "%zu bytes \"%.*s\" are not %zu bytes \"%.*s\"", bytes.len, (int)bytes.len,
               bytes.len ? (char *)bytes.data : "", len, (int)len, expected);
}

#define CHECK_BYTES(bytes, text) check_bytes(bytes, text, strlen(text))
#define CHECK_ITEM(item, expected_state, expected_code) \
    (CHECK_EQUAL((item).state, expected_state), CHECK_EQUAL((item).code, expected_code))

/* The number that a command wrote. */
static inline long number(par_bytes bytes)
{
    char text[32] = "";
    CHECK(bytes.len < sizeof text);
    if (bytes.len > 0)
        memcpy(text, bytes.data, bytes.len);
    return strtol(text, NULL, 10);
}

/* Whether the process is gone, or a zombie that nobody reaps. */
static inline int is_gone(long pid)
{
    char path[64], text[256] = "";
    sprintf(path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 1;
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    char *state = strrchr(text, ')');
    return len == 0 || !state || state[2] == 'Z' || state[2] == 'X';
}

static inline void check_gone_soon(long pid)
{
    CHECK(pid > 1);
    for (int tries = 0; tries < 5000 && !is_gone(pid); tries++)
        sleep_ms(1);
    CHECK(is_gone(pid));
}

/* A fresh folder, which is the working folder from then on. */
static inline const char *in_a_fresh_folder(void)
{
    static char name[64];
    strcpy(name, "/tmp/parmap-test-XXXXXX");
    CHECK(mkdtemp(name) != NULL);
    CHECK_EQUAL(chdir(name), 0);
    return name;
}

static inline void remove_folder(const char *name)
{
    const char *argv[] = {"rm", "-rf", name, NULL};
    CHECK_EQUAL(chdir("/"), 0);
    CHECK_EQUAL(run_one(with_argv(argv), NULL).item.state, PAR_ITEM_OK);
}
#endif
