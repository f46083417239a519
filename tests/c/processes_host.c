/* Forked workers disturb nothing of the host, and leave nothing behind. */
#define _GNU_SOURCE
#include "promise.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define N 60

static par_report report;
static int in[N], out[N];

static par_options in_processes(void)
{
    par_options options = reporting_to(&report);
    options.executor = PAR_PROCESSES;
    options.workers = 3;
    for (int i = 0; i < N; i++) {
        in[i] = i;
        out[i] = -1;
    }
    return options;
}

static int square(const void *item, void *result, void *ctx)
{
    (void)ctx;
    *(int *)result = *(const int *)item * *(const int *)item;
    return 0;
}

static int square_or_die(const void *item, void *result, void *ctx)
{
    if (*(const int *)item == 17)
        abort();
    return square(item, result, ctx);
}

/* A call with a death in it. */
static void check_call(void)
{
    int numbers[N], squares[N];
    par_report mine;
    par_options options = reporting_to(&mine);
    options.executor = PAR_PROCESSES;
    options.flags = PAR_KEEP_GOING;
    options.workers = 3;
    for (int i = 0; i < N; i++) {
        numbers[i] = i;
        squares[i] = -1;
    }
    CHECK_EQUAL(par_map(square_or_die, NULL, numbers, sizeof(int), squares, sizeof(int), N, &options), PAR_EITEM);
    for (int i = 0; i < N; i++)
        CHECK_EQUAL(squares[i], i == 17 ? -1 : i * i);
    CHECK_EQUAL(mine.first_failed, 17);
    CHECK_EQUAL(mine.first.code, SIGABRT);
}

/* Whether this process runs; one that has ended and waits for nobody does not. */
static int runs(pid_t pid)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    char *read = fgets(line, sizeof line, file);
    fclose(file);
    if (read == NULL)
        return 0;
    const char *state = strrchr(line, ')');
    return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

static int ends_within(pid_t pid, int ms)
{
    while (ms-- > 0 && runs(pid))
        sleep_ms(1);
    return !runs(pid);
}

static int entries(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static int lines(const char *path)
{
    int count = 0, c;
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while ((c = getc(file)) != EOF)
        count += c == '\n';
    fclose(file);
    return count;
}

static int one_byte(const void *item, size_t len, par_bytes *result, void *ctx)
{
    (void)item, (void)len, (void)ctx;
    return par_bytes_resize(result, 1);
}

static void a_thousand_calls_leave_no_process_descriptor_or_mapping_behind(void)
{
    static par_bytes texts[N], results[N];
    int descriptors = 0, mappings = 0;
    for (int call = 0; call < 1000; call++) {
        par_options options = in_processes();
        options.flags = PAR_KEEP_GOING;
        if (call % 4)
            par_map(call % 4 == 1 ? square_or_die : square, NULL, in, sizeof in[0], out, sizeof out[0], N, &options);
        else
            CHECK_EQUAL(par_map_bytes(one_byte, NULL, texts, results, N, &options), PAR_OK);
        if (call == 20) {
            descriptors = entries("/proc/self/fd");
            mappings = lines("/proc/self/maps");
        }
    }
    par_bytes_free(results, N);
    CHECK_EQUAL(entries("/proc/self/fd"), descriptors);
    CHECK(lines("/proc/self/maps") <= mappings + 1); /* malloc's heap may have grown by a piece */
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void a_host_that_ignores_its_children_is_served(void)
{
    signal(SIGCHLD, SIG_IGN);
    for (int call = 0; call < 20; call++)
        check_call();
    struct sigaction now;
    CHECK_EQUAL(sigaction(SIGCHLD, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_IGN);
}

static volatile int reaping = 1;

static void *reap_everything(void *ctx)
{
    while (reaping)
        if (waitpid(-1, NULL, 0) > 0)
            ADD(*(int *)ctx, 1);
        else
            sleep_ms(1);
    return NULL;
}

static void a_host_that_reaps_whatever_ends_is_served(void)
{
    int reaped = 0;
    pthread_t reaper;
    CHECK_EQUAL(pthread_create(&reaper, NULL, reap_everything, &reaped), 0);
    for (int call = 0; call < 50; call++)
        check_call();
    reaping = 0;
    pthread_join(reaper, NULL);
    CHECK(reaped <= 50); /* one unknown pid a call at most */
}

static volatile sig_atomic_t children_ended;

static void on_child(int number)
{
    (void)number;
    children_ended++;
}

static void a_handler_for_children_sees_one_signal_a_call(void)
{
    struct sigaction action, now;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_child;
    CHECK_EQUAL(sigaction(SIGCHLD, &action, NULL), 0);
    for (int call = 0; call < 20; call++)
        check_call();
    CHECK(children_ended <= 20);
    CHECK_EQUAL(sigaction(SIGCHLD, NULL, &now), 0);
    CHECK(now.sa_handler == on_child);
}

static int child_of_the_host(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(9);
    return child;
}

static void the_hosts_own_children_are_left_to_it(void)
{
    int status;
    pid_t child = child_of_the_host();
    check_call();
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(WEXITSTATUS(status), 9);
}

static int mask_is_the_callers(const void *item, void *result, void *ctx)
{
    sigset_t now;
    (void)item, (void)result, (void)ctx;
    sigprocmask(SIG_BLOCK, NULL, &now);
    return !(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2) && !sigismember(&now, SIGTERM));
}

static void signal_masks_are_left_alone_and_handed_on(void)
{
    sigset_t blocked, now;
    par_options options = in_processes();
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    CHECK_EQUAL(par_map(mask_is_the_callers, NULL, in, sizeof in[0], NULL, 0, N, &options), PAR_OK);
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1) && !sigismember(&now, SIGCHLD) && !sigismember(&now, SIGTERM));
}

static int linger(const void *item, void *result, void *ctx)
{
    pid_t *pids = ctx;
    (void)result;
    pids[*(const int *)item] = getpid();
    sleep_ms(60000);
    return 0;
}

static pid_t *lingering;

static void host_with_lingering_workers(void)
{
    par_options options = in_processes();
    par_map(linger, lingering, in, sizeof in[0], NULL, 0, 3, &options);
}

static void wait_for_lingering_workers(void)
{
    for (int i = 0; i < 3; i++)
        CHECK(reaches((int *)&lingering[i], 1));
}

static void no_worker_survives_a_host_that_is_killed(void)
{
    lingering = par_shm_alloc(3 * sizeof *lingering);
    pid_t host = fork();
    if (host == 0) {
        host_with_lingering_workers();
        _exit(0);
    }
    wait_for_lingering_workers();
    kill(host, SIGKILL);
    CHECK_EQUAL(waitpid(host, NULL, 0), host);
    for (int i = 0; i < 3; i++)
        CHECK(ends_within(lingering[i], 1000));
}

static pid_t parent_of(pid_t pid)
{
    char path[64], line[512];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL && fgets(line, sizeof line, file) != NULL);
    fclose(file);
    CHECK_EQUAL(sscanf(strrchr(line, ')') + 1, " %*c %d", &parent), 1);
    return parent;
}

static void *kill_the_supervisor(void *ctx)
{
    (void)ctx;
    wait_for_lingering_workers();
    kill(parent_of(lingering[0]), SIGKILL);
    return NULL;
}

static void a_killed_supervisor_ends_the_call_and_its_workers(void)
{
    static par_item items[N];
    pthread_t killer;
    lingering = par_shm_alloc(3 * sizeof *lingering);
    par_options options = in_processes();
    options.items = items;
    CHECK_EQUAL(pthread_create(&killer, NULL, kill_the_supervisor, NULL), 0);
    CHECK_EQUAL(par_map(linger, lingering, in, sizeof in[0], NULL, 0, 3, &options), PAR_EWORKER);
    pthread_join(killer, NULL);
    CHECK_TEXT(report.message, "supervisor");
    for (int i = 0; i < 3; i++) {
        CHECK(!runs(lingering[i]));
        CHECK_EQUAL(items[i].state, PAR_ITEM_SIGNALED);
    }
}

static volatile int busy = 1;

static void *allocate_print_and_call(void *ctx)
{
    FILE *nowhere = ctx;
    while (busy) {
        int numbers[N], squares[N];
        char *memory = malloc(5000);
        memset(numbers, 0, sizeof numbers);
        memset(memory, 1, 5000);
        fprintf(nowhere, "%d\n", memory[17]);
        printf("%s", "");
        CHECK_EQUAL(par_map(square, NULL, numbers, sizeof(int), squares, sizeof(int), N, NULL), PAR_OK);
        free(memory);
    }
    return NULL;
}

static void *call_again_and_again(void *ctx)
{
    (void)ctx;
    for (int call = 0; call < 25; call++)
        check_call();
    return NULL;
}

static void any_thread_of_a_busy_host_can_call(void)
{
    pthread_t others[3], callers[4];
    FILE *nowhere = fopen("/dev/null", "w");
    for (int i = 0; i < 3; i++)
        CHECK_EQUAL(pthread_create(&others[i], NULL, allocate_print_and_call, nowhere), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQUAL(pthread_create(&callers[i], NULL, call_again_and_again, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(callers[i], NULL);
    busy = 0;
    for (int i = 0; i < 3; i++)
        pthread_join(others[i], NULL);
}

typedef struct fork_log {
    int before, in_parent, in_child, wrong;
    pid_t host;
} fork_log;

static pid_t forking;

static void before_fork(void *ctx)
{
    fork_log *log = ctx;
    forking = getpid();
    ADD(log->before, 1);
}

static void after_fork_parent(void *ctx)
{
    fork_log *log = ctx;
    ADD(log->wrong, forking != getpid());
    ADD(log->in_parent, 1);
}

static void after_fork_child(void *ctx)
{
    fork_log *log = ctx;
    ADD(log->wrong, forking != getppid() || getpid() == log->host);
    ADD(log->in_child, 1);
}

static int sleep_a_little(const void *item, void *result, void *ctx)
{
    (void)item, (void)result, (void)ctx;
    sleep_ms(20);
    return 0;
}

static void fork_hooks_run_around_every_fork_in_the_process_named(void)
{
    fork_log *log = par_shm_alloc(sizeof *log);
    par_options options = in_processes();
    log->host = getpid();
    options.before_fork = before_fork;
    options.after_fork_parent = after_fork_parent;
    options.after_fork_child = after_fork_child;
    options.fork_ctx = log;
    CHECK_EQUAL(par_map(sleep_a_little, NULL, in, sizeof in[0], NULL, 0, 6, &options), PAR_OK);
    CHECK_EQUAL(log->before, 4); /* the supervisor and three workers */
    CHECK_EQUAL(log->in_parent, 4);
    CHECK_EQUAL(log->in_child, 4);
    CHECK_EQUAL(log->wrong, 0);
}

static void a_child_and_a_grandchild_of_the_host_can_call(void)
{
    check_call();
    in_a_child(check_call);
    pid_t child = fork();
    if (child == 0) {
        in_a_child(check_call);
        _exit(0);
    }
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
}

const promise promises[] = {
    PROMISE(a_thousand_calls_leave_no_process_descriptor_or_mapping_behind),
    PROMISE(a_host_that_ignores_its_children_is_served),
    PROMISE(a_host_that_reaps_whatever_ends_is_served),
    PROMISE(a_handler_for_children_sees_one_signal_a_call),
    PROMISE(the_hosts_own_children_are_left_to_it),
    PROMISE(signal_masks_are_left_alone_and_handed_on),
    PROMISE(no_worker_survives_a_host_that_is_killed),
    PROMISE(a_killed_supervisor_ends_the_call_and_its_workers),
    PROMISE(any_thread_of_a_busy_host_can_call),
    PROMISE(fork_hooks_run_around_every_fork_in_the_process_named),
    PROMISE(a_child_and_a_grandchild_of_the_host_can_call),
    {NULL, NULL},
};
