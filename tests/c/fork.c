/* The library works in a forked child: of any thread, at any depth, after any use, in the middle of a call. */
#define _POSIX_C_SOURCE 200809L
#include "promise.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>

#define MANY 500

/* Two items that wait for each other: a pool without living threads could not finish them. */
static int wait_for_both(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    ADD(*(int *)ctx, 1);
    return !reaches(ctx, 2);
}

static int square(const void *item, void *result, void *ctx)
{
    int x = *(const int *)item;
    (void)ctx;
    *(int *)result = x * x;
    return 0;
}

static void square_all(void)
{
    int in[MANY], out[MANY];
    par_options options = PAR_OPTIONS_INIT;
    options.workers = 3;
    for (int i = 0; i < MANY; i++)
        in[i] = i;
    CHECK_EQUAL(par_map(square, NULL, in, sizeof in[0], out, sizeof out[0], MANY, &options), PAR_OK);
    for (int i = 0; i < MANY; i++)
        CHECK_EQUAL(out[i], i * i);
}

/* Calls the library, and makes sure that two threads work for it. */
static void use(void)
{
    int in[2] = {0, 1}, begun = 0;
    par_options options = PAR_OPTIONS_INIT;
    options.workers = 2;
    CHECK_EQUAL(par_map(wait_for_both, &begun, in, sizeof in[0], NULL, 0, 2, &options), PAR_OK);
    square_all();
}

static void *use_on_a_thread(void *ctx)
{
    (void)ctx;
    use();
    return NULL;
}

static void on_another_thread(void *(*work)(void *))
{
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, work, NULL), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
}

static void a_child_can_call_whose_parent_never_did(void)
{
    in_a_child(use);
    use();
}

static void a_forked_child_can_call_again(void)
{
    use();
    in_a_child(use);
    use();
}

static void use_and_have_a_child(void)
{
    use();
    in_a_child(use);
    use();
}

static void a_grandchild_can_call_again(void)
{
    use();
    in_a_child(use_and_have_a_child);
    use();
}

static void have_a_child_that_calls(void)
{
    in_a_child(use);
}

static void a_grandchild_can_call_whose_parent_did_not(void)
{
    use();
    in_a_child(have_a_child_that_calls);
    use();
}

static void *fork_here(void *ctx)
{
    (void)ctx;
    in_a_child(use_and_have_a_child);
    return NULL;
}

static void a_child_of_another_thread_can_call_again(void)
{
    use();
    on_another_thread(fork_here);
    on_another_thread(use_on_a_thread);
    use();
}

static void use_on_a_thread_of_its_own(void)
{
    on_another_thread(use_on_a_thread);
    use();
}

static void a_new_thread_of_the_child_can_call(void)
{
    use();
    in_a_child(use_on_a_thread_of_its_own);
}

/* An item that forks; the child calls while the parent's call still runs. Two of them at once, so that one runs on a
 * helper thread. */
static int fork_inside(const void *item, void *result, void *ctx)
{
    (void)item, (void)result;
    ADD(*(int *)ctx, 1);
    CHECK(reaches(ctx, 2));
    in_a_child(use_and_have_a_child);
    square_all();
    return 0;
}

static void map_fork_inside(void)
{
    int in[2] = {0, 1}, begun = 0;
    par_options options = PAR_OPTIONS_INIT;
    options.workers = 2;
    CHECK_EQUAL(par_map(fork_inside, &begun, in, sizeof in[0], NULL, 0, 2, &options), PAR_OK);
}

static void a_call_works_inside_a_fork_inside_a_call(void)
{
    map_fork_inside();
    map_fork_inside();
    use();
}

static void a_call_works_inside_a_fork_inside_a_call_inside_a_fork(void)
{
    use();
    in_a_child(map_fork_inside);
    use();
}

static int fork_in_poll(const par_progress *progress, void *ctx)
{
    (void)progress;
    if ((*(int *)ctx)++ == 0)
        in_a_child(use);
    return 0;
}

static void a_child_forked_by_poll_can_call(void)
{
    int in[MANY], out[MANY], polls = 0;
    par_options options = PAR_OPTIONS_INIT;
    memset(in, 0, sizeof in);
    options.workers = 2;
    options.poll = fork_in_poll;
    options.poll_ctx = &polls;
    options.poll_ms = 1;
    CHECK_EQUAL(par_map(square, NULL, in, sizeof in[0], out, sizeof out[0], MANY, &options), PAR_OK);
    CHECK(polls >= 1);
    use();
}

static void a_child_that_does_not_call_can_exit_in_peace(void)
{
    use();
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        exit(5);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    use();
}

static void a_child_that_called_can_exit_in_peace(void)
{
    use();
    int status = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        use();
        exit(5);
    }
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    use();
}

/* Who forks in an item, and comes back out of it in the child, too. */
typedef struct straying {
    int forks;
    pid_t child;
    int threads;
    int items;
} straying;

static int threads_of_this_process(void)
{
    int threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        cannot("there is no /proc/self/task");
    while (readdir(tasks))
        threads++;
    CHECK_EQUAL(closedir(tasks), 0);
    return threads;
}

static int fork_and_come_back(size_t begin, size_t end, void *ctx)
{
    straying *me = ctx;
    for (volatile int turns = 0; turns < 1000 * (int)(end - begin);)
        turns = turns + 1;
    if (begin == 0 && me->forks) {
        me->child = fork();
        CHECK(me->child >= 0);
        if (me->child == 0) {
            alarm(60);
            me->threads = threads_of_this_process();
            sleep_ms(20); /* items are longer than was known: they are worth a helper */
        }
    }
    ADD(me->items, (int)(end - begin));
    return 0;
}

static void check_that_it_was_content(pid_t child)
{
    int status = 0;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The call is too short to wake a helper for when the child is forked. */
static void a_child_that_comes_back_from_an_item_is_told_so_and_runs_no_more(void)
{
    straying me = {0, 0, 0, 0};
    par_report report;
    par_options options = reporting_to(&report);
    options.grain = 1;
    options.workers = 1;
    CHECK_EQUAL(par_for(fork_and_come_back, &me, 2000, &options), PAR_OK);
    options.workers = 3;
    me.forks = 1;
    me.items = 0;
    int answer = par_for(fork_and_come_back, &me, 30, &options);
    if (me.child == 0) {
        CHECK_EQUAL(answer, PAR_EWORKER);
        CHECK_TEXT(report.message, "forked inside a callback");
        CHECK(me.items < 30);
        CHECK_EQUAL(threads_of_this_process(), me.threads);
        _exit(0);
    }
    CHECK_EQUAL(answer, PAR_OK);
    CHECK_EQUAL(me.items, 30);
    check_that_it_was_content(me.child);
}

static int sleep_a_little(const void *item, void *result, void *ctx)
{
    (void)item, (void)result, (void)ctx;
    sleep_ms(2);
    return 0;
}

static int fork_and_come_back_from_poll(const par_progress *progress, void *ctx)
{
    straying *me = ctx;
    (void)progress;
    if (me->forks++ == 0) {
        me->child = fork();
        CHECK(me->child >= 0);
        if (me->child == 0)
            alarm(60);
    }
    return 0;
}

static void a_child_that_comes_back_from_poll_is_told_so(void)
{
    static const char in[100];
    straying me = {0, 0, 0, 0};
    par_report report;
    par_options options = reporting_to(&report);
    options.workers = 2;
    options.poll = fork_and_come_back_from_poll;
    options.poll_ctx = &me;
    options.poll_ms = 1;
    int answer = par_map(sleep_a_little, NULL, in, 1, NULL, 0, sizeof in, &options);
    if (me.child == 0) {
        CHECK_EQUAL(answer, PAR_EWORKER);
        CHECK_TEXT(report.message, "forked inside a callback");
        CHECK_EQUAL(me.forks, 1);
        _exit(0);
    }
    CHECK_EQUAL(answer, PAR_OK);
    CHECK_EQUAL(report.done, 100);
    check_that_it_was_content(me.child);
    use();
}

static int stop;

static void *map_until_stopped(void *ctx)
{
    (void)ctx;
    while (!LOAD(stop))
        use();
    return NULL;
}

static void a_hundred_children_can_call_though_they_were_forked_amid_calls(void)
{
    pthread_t threads[3];
    for (int t = 0; t < 3; t++)
        CHECK_EQUAL(pthread_create(&threads[t], NULL, map_until_stopped, NULL), 0);
    for (int child = 0; child < 100; child++)
        in_a_child(use);
    STORE(stop, 1);
    for (int t = 0; t < 3; t++)
        CHECK_EQUAL(pthread_join(threads[t], NULL), 0);
}

/* Fork after fork, each child a parent in turn, with a call at every step. */
static int generations = 8;

static void next_generation(void)
{
    use();
    if (--generations > 0)
        in_a_child(next_generation);
    use();
}

static void eight_generations_can_call(void)
{
    next_generation();
}

const promise promises[] = {
    PROMISE(a_child_can_call_whose_parent_never_did),
    PROMISE(a_forked_child_can_call_again),
    PROMISE(a_grandchild_can_call_again),
    PROMISE(a_grandchild_can_call_whose_parent_did_not),
    PROMISE(a_child_of_another_thread_can_call_again),
    PROMISE(a_new_thread_of_the_child_can_call),
    PROMISE(a_call_works_inside_a_fork_inside_a_call),
    PROMISE(a_call_works_inside_a_fork_inside_a_call_inside_a_fork),
    PROMISE(a_child_forked_by_poll_can_call),
    PROMISE(a_child_that_does_not_call_can_exit_in_peace),
    PROMISE(a_child_that_called_can_exit_in_peace),
    PROMISE(a_child_that_comes_back_from_an_item_is_told_so_and_runs_no_more),
    PROMISE(a_child_that_comes_back_from_poll_is_told_so),
    PROMISE(a_hundred_children_can_call_though_they_were_forked_amid_calls),
    PROMISE(eight_generations_can_call),
    {NULL, NULL},
};
