/* Bad arguments of par_run, and what the system or the host may do to it. */
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static par_report report;

static void check_refused(const par_command *commands, size_t n, const char *sentence)
{
    par_options options = reporting_to(&report);
    par_outcome outcomes[4];
    memset(outcomes, 0x5a, sizeof outcomes);
    CHECK_EQUAL(par_run(commands, outcomes, n, &options), PAR_EINVAL);
    CHECK_TEXT(report.message, sentence);
    CHECK_EQUAL(report.done, 0);
    for (size_t i = 0; i < n && n <= 4; i++)
        CHECK_ITEM(outcomes[i].item, PAR_ITEM_NOT_RUN, 0);
    par_outcomes_free(outcomes, n <= 4 ? n : 0); /* fine whatever the call answered */
}

static void null_arrays_and_strings_are_refused_by_name(void)
{
    const char *const empty[] = {NULL};
    par_command commands[3] = {shell("touch /tmp/never"), shell("exit 0"), shell("exit 0")};
    par_options options = reporting_to(&report);
    check_refused(NULL, 2, "par_run: commands is NULL: pass the array of commands");
    CHECK_EQUAL(par_run(commands, NULL, 1, &options), PAR_EINVAL);
    CHECK_TEXT(report.message, "par_run: outcomes is NULL: pass room for n outcomes");
    commands[2].argv = NULL;
    check_refused(commands, 3, "par_run: command 2: argv is NULL: pass the program and its arguments");
    commands[2].argv = empty;
    check_refused(commands, 3, "par_run: command 2: argv[0] is NULL: pass a program");
    commands[2] = shell("exit 0");
    commands[1].input_len = 3;
    check_refused(commands, 3, "par_run: command 1: input is NULL but input_len is 3: pass the bytes, or 0");
    CHECK(access("/tmp/never", F_OK) != 0);
}

static void sizes_and_reserved_values_are_checked(void)
{
    par_command commands[2] = {shell("exit 0"), shell("exit 0")};
    commands[0].size = 0;
    check_refused(commands, 2, "par_run: command 0: size is 0, not 56: set it to sizeof(par_command)");
    commands[0].size = sizeof commands[0] + 1;
    check_refused(commands, 2, "par_run: command 0: size is 57");
    commands[0].size = sizeof commands[0];
    commands[1].size = 0;
    check_refused(commands, 2, "par_run: command 1: size is 0, but that of command 0 is 56");
    commands[1].size = sizeof commands[1];
    commands[1].reserved = 1;
    check_refused(commands, 2, "par_run: command 1: reserved is 1: leave it 0");
    commands[1].reserved = 0;
    check_refused(commands, SIZE_MAX / 8, "par_run: sizeof(par_outcome) times n");
}

static int start(size_t worker, void *ctx) { return worker == 0 && ctx != NULL; }

static void options_that_commands_cannot_have_are_refused(void)
{
    par_command command = shell("exit 0");
    par_outcome outcome;
    par_options options = reporting_to(&report);
    options.executor = PAR_PROCESSES;
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_EINVAL);
    CHECK_TEXT(report.message, "par_run: options->executor is 1: leave it 0");
    options = reporting_to(&report);
    options.flags = 1u << 20;
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_EINVAL);
    CHECK_TEXT(report.message, "par_run: options->flags is 1048576: use PAR_KEEP_GOING, PAR_RUN_INHERIT, PAR_RUN_SYNC or 0");
    options = reporting_to(&report);
    options.reserved = 7;
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_EINVAL);
    options = reporting_to(&report);
    options.worker_start = start;
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_ENOTSUP);
    CHECK_TEXT(report.message, "par_run: worker_start and worker_stop cannot run in a command");
}

static void check_cannot_start(par_command command, int error, const char *sentence)
{
    par_options options = reporting_to(&report);
    par_outcome outcome;
    CHECK_EQUAL(par_run(&command, &outcome, 1, &options), PAR_EITEM);
    CHECK_ITEM(outcome.item, PAR_ITEM_SPAWN_FAILED, error);
    CHECK_EQUAL(outcome.attempts, command.retries + 1);
    CHECK_TEXT(report.message, sentence);
    par_outcomes_free(&outcome, 1);
}

static void what_cannot_be_started_says_why(void)
{
    const char *folder = in_a_fresh_folder();
    const char *missing[] = {"no-such-program", NULL}, *nowhere[] = {"/no/such/program", NULL}, *empty[] = {"", NULL};
    const char *plain[] = {"./plain", NULL}, *text[] = {"./text", NULL}, *loop[] = {"./loop", NULL};
    CHECK_EQUAL(run_one(shell("echo x >plain; echo no program >text; chmod +x text; ln -s loop loop"), NULL).item.state, PAR_ITEM_OK);
    check_cannot_start(with_argv(missing), ENOENT, "par_run: command 0 could not be started: 'no-such-program': No such file or directory (os error 2), in no folder of PATH");
    check_cannot_start(with_argv(nowhere), ENOENT, "par_run: command 0 could not be started: '/no/such/program': No such file or directory");
    check_cannot_start(with_argv(empty), ENOENT, "par_run: command 0 could not be started: ''");
    check_cannot_start(with_argv(plain), EACCES, "'./plain': Permission denied");
    check_cannot_start(with_argv(text), ENOEXEC, "'./text': Exec format error");
    check_cannot_start(with_argv(loop), ELOOP, "'./loop': ");
    par_command command = shell("exit 0");
    command.dir = "/no/such/folder";
    command.retries = 2;
    check_cannot_start(command, ENOENT, "par_run: command 0 could not be started in dir '/no/such/folder': No such file or directory");
    command.dir = "plain";
    check_cannot_start(command, ENOTDIR, "in dir 'plain': Not a directory");
    remove_folder(folder);
}

static void arguments_that_are_too_long_are_an_error_of_that_command(void)
{
    size_t len = (size_t)1 << 20; /* Linux takes 128 KiB */
    char *longest = malloc(len + 1);
    CHECK(longest != NULL);
    memset(longest, 'x', len);
    longest[len] = '\0';
    const char *argv[] = {"true", longest, NULL};
    check_cannot_start(with_argv(argv), E2BIG, "Argument list too long");
    free(longest);
}

static void a_gigabyte_of_output_comes_back_and_takes_no_memory(void)
{
    struct rusage usage;
    const size_t len = (size_t)1 << 30;
    par_outcome outcome = run_one(shell("head -c 1073741824 /dev/zero"), NULL);
    if (outcome.item.state == PAR_ITEM_FAILED && outcome.item.code == ENOSPC)
        cannot("the folder for temporary files has no room for a gigabyte");
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    CHECK_EQUAL(outcome.out.len, len);
    getrusage(RUSAGE_SELF, &usage);
    CHECK(usage.ru_maxrss < 200 * 1024);
    CHECK_EQUAL(((char *)outcome.out.data)[len - 1], 0);
    par_outcomes_free(&outcome, 1);
}

static void check_ends_are_known(void)
{
    par_command commands[MOST];
    static par_outcome outcomes[MOST];
    par_options options = reporting_to(&report);
    options.flags = PAR_KEEP_GOING;
    options.workers = 4;
    for (int i = 0; i < MOST; i++)
        commands[i] = shell(i % 3 == 0 ? "exit 0" : i % 3 == 1 ? "exit 7" : "kill -9 $$");
    CHECK_EQUAL(par_run(commands, outcomes, MOST, &options), PAR_EITEM);
    int unknown = 0;
    for (int i = 0; i < MOST; i++) {
        if (outcomes[i].item.state == PAR_ITEM_FAILED) {
            CHECK_EQUAL(outcomes[i].item.code, ECHILD);
            unknown++;
        } else {
            CHECK_ITEM(outcomes[i].item, i % 3 == 0 ? PAR_ITEM_OK : i % 3 == 1 ? PAR_ITEM_EXITED : PAR_ITEM_SIGNALED,
                       i % 3 == 0 ? 0 : i % 3 == 1 ? 7 : SIGKILL);
        }
    }
    par_outcomes_free(outcomes, MOST);
    if (unknown > 0)
        cannot("this kernel tells nobody how a child ended that another has reaped; Linux 6.15 does");
}

static void a_host_that_ignores_sigchld_learns_how_commands_ended(void)
{
    signal(SIGCHLD, SIG_IGN);
    check_ends_are_known();
}

static void *reap_everything(void *ctx)
{
    (void)ctx;
    for (;;)
        if (waitpid(-1, NULL, 0) < 0)
            sched_yield();
    return NULL;
}

static void a_host_that_reaps_everything_learns_how_commands_ended(void)
{
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, reap_everything, NULL), 0);
    check_ends_are_known();
}

static void with_few_descriptors_fewer_commands_run_at_once(void)
{
    struct rlimit few = {40, 40};
    enum { N = 60 };
    par_command commands[N];
    par_outcome outcomes[N];
    par_options options = reporting_to(&report);
    options.workers = N;
    for (int i = 0; i < N; i++)
        commands[i] = shell("sleep 0.02; echo fine");
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQUAL(par_run(commands, outcomes, N, &options), PAR_OK);
    for (int i = 0; i < N; i++)
        CHECK_BYTES(outcomes[i].out, "fine\n");
    CHECK_EQUAL(report.os_error, EMFILE);
    CHECK_TEXT(report.message, "par_run: the system refused to start more than");
    CHECK(report.workers < 20);
    par_outcomes_free(outcomes, N);
}

static void with_no_descriptor_at_all_the_commands_say_so(void)
{
    par_options options = reporting_to(&report);
    par_command commands[2] = {shell("exit 0"), shell("exit 0")};
    par_outcome outcomes[2];
    int held[1024], n = 0;
    struct rlimit few = {64, 64};
    options.flags = PAR_KEEP_GOING;
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((held[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        n++;
    CHECK_EQUAL(par_run(commands, outcomes, 2, &options), PAR_ESYS);
    CHECK_EQUAL(report.os_error, EMFILE);
    close(held[--n]); /* enough for /dev/null, too few for a pipe */
    CHECK_EQUAL(par_run(commands, outcomes, 2, &options), PAR_EITEM);
    CHECK_ITEM(outcomes[1].item, PAR_ITEM_SPAWN_FAILED, EMFILE);
    CHECK_TEXT(report.message, "par_run: command 0 could not be started: Too many open files");
    par_outcomes_free(outcomes, 2);
}

/* Makes /tmp of this process alone 4 MB small. */
static void make_a_small_tmp(void)
{
    int flags = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
    if (unshare(flags) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("tmpfs", "/tmp", "tmpfs", 0, "size=4m") != 0)
        cannot("this system gives no mount namespace with a tmpfs");
}

static void output_that_finds_no_room_ends_its_command_and_no_other(void)
{
    make_a_small_tmp();
    par_options options = reporting_to(&report);
    par_command commands[3] = {shell("head -c 3000000 /dev/zero"), shell("cat /dev/zero"), shell("sleep 0.5; echo fine")};
    par_outcome outcomes[3];
    options.flags = PAR_KEEP_GOING;
    options.workers = 3;
    unsetenv("TMPDIR");
    CHECK_EQUAL(par_run(commands, outcomes, 3, &options), PAR_EITEM);
    CHECK_ITEM(outcomes[1].item, PAR_ITEM_FAILED, ENOSPC);
    CHECK_BYTES(outcomes[2].out, "fine\n");
    CHECK_TEXT(report.message, "was ended because its output could not be kept in /tmp: No space left on device (os error 28): set TMPDIR to a folder with room");
    par_outcomes_free(outcomes, 3);
    /* All of it is given back. */
    par_outcome outcome = run_one(shell("head -c 3500000 /dev/zero"), NULL);
    CHECK_ITEM(outcome.item, PAR_ITEM_OK, 0);
    par_outcomes_free(&outcome, 1);
}

static void a_folder_for_temporary_files_that_is_not_there_is_named(void)
{
    par_options options = reporting_to(&report);
    setenv("TMPDIR", "/no/such/folder", 1);
    par_outcome outcome = run_one(shell("cat /dev/zero"), &options);
    CHECK_ITEM(outcome.item, PAR_ITEM_FAILED, ENOENT);
    CHECK_TEXT(report.message, "its output could not be kept in /no/such/folder: No such file or directory");
    par_outcomes_free(&outcome, 1);
    outcome = run_one(shell("echo short"), &options);
    CHECK_BYTES(outcome.out, "short\n");
    par_outcomes_free(&outcome, 1);
}

/* Root is not bound by the limit, so the call is made by another user. */
static void where_processes_are_refused_fewer_run_or_the_commands_say_so(void)
{
    struct rlimit few = {4, 4};
    if (geteuid() == 0 && (setgid(61234) != 0 || setuid(61234) != 0))
        cannot("root cannot become another user here");
    par_options options = reporting_to(&report);
    par_command commands[8];
    par_outcome outcomes[8];
    const char *nap[] = {"sleep", "0.05", NULL};
    options.workers = 8;
    for (int i = 0; i < 8; i++)
        commands[i] = with_argv(nap);
    CHECK_EQUAL(setrlimit(RLIMIT_NPROC, &few), 0);
    par_status status = par_run(commands, outcomes, 8, &options);
    CHECK_EQUAL(report.os_error, status == PAR_OK ? EAGAIN : 0);
    if (status == PAR_OK) {
        CHECK(report.workers <= 4);
        CHECK_TEXT(report.message, "par_run: the system refused to start more than");
    } else {
        CHECK_EQUAL(status, PAR_EITEM);
        CHECK_ITEM(report.first, PAR_ITEM_SPAWN_FAILED, EAGAIN);
    }
    par_outcomes_free(outcomes, 8);
}

const promise promises[] = {
    PROMISE(null_arrays_and_strings_are_refused_by_name),
    PROMISE(sizes_and_reserved_values_are_checked),
    PROMISE(options_that_commands_cannot_have_are_refused),
    PROMISE(what_cannot_be_started_says_why),
    PROMISE(arguments_that_are_too_long_are_an_error_of_that_command),
    PROMISE(a_gigabyte_of_output_comes_back_and_takes_no_memory),
    PROMISE(a_host_that_ignores_sigchld_learns_how_commands_ended),
    PROMISE(a_host_that_reaps_everything_learns_how_commands_ended),
    PROMISE(with_few_descriptors_fewer_commands_run_at_once),
    PROMISE(with_no_descriptor_at_all_the_commands_say_so),
    PROMISE(output_that_finds_no_room_ends_its_command_and_no_other),
    PROMISE(a_folder_for_temporary_files_that_is_not_there_is_named),
    PROMISE(where_processes_are_refused_fewer_run_or_the_commands_say_so),
    {NULL, NULL},
};
