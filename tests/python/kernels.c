/* The C functions that the tests map. */
#include <stdint.h>
#include <time.h>
#include <unistd.h>

/* ---- element functions, one of each form ------------------------------------------------------------------- */

double double_plus_one(double x) { return x + 1; }
float float_plus_one(float x) { return x + 1; }
int64_t int64_plus_one(int64_t x) { return x + 1; }
int32_t int32_plus_one(int32_t x) { return x + 1; }

double double_plus(double x, void *user_data) { return x + *(double *)user_data; }
float float_plus(float x, void *user_data) { return x + *(float *)user_data; }
int64_t int64_plus(int64_t x, void *user_data) { return x + *(int64_t *)user_data; }
int32_t int32_plus(int32_t x, void *user_data) { return x + *(int32_t *)user_data; }

/* ---- item functions ---------------------------------------------------------------------------------------- */

int item_plus_one(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int64_t *)out = *(const int64_t *)in + 1;
    return 0;
}

/* One row of `*ctx` doubles to their sum. */
int sum_of_row(const void *in, void *out, void *ctx)
{
    const double *row = in;
    double sum = 0;

    for (int64_t i = 0; i < *(const int64_t *)ctx; i++)
        sum += row[i];
    *(double *)out = sum;
    return 0;
}

/* Fails with the item itself where that is not 0. */
int fail_unless_zero(const void *in, void *out, void *ctx)
{
    (void)out;
    (void)ctx;
    return (int)*(const int64_t *)in;
}

/* Ends its process where the item is not 0. */
int exit_unless_zero(const void *in, void *out, void *ctx)
{
    (void)out;
    (void)ctx;
    if (*(const int64_t *)in != 0)
        _exit(3);
    return 0;
}

/* An item is the milliseconds it takes. */
int sleep_ms(const void *in, void *out, void *ctx)
{
    const int64_t ms = *(const int64_t *)in;
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

    (void)ctx;
    nanosleep(&time, NULL);
    *(int64_t *)out = ms;
    return 0;
}

/* An element is the milliseconds it takes. */
int64_t sleep_ms_element(int64_t ms)
{
    sleep_ms(&ms, &ms, NULL);
    return ms;
}

/* Whether the user_data is NULL. */
int is_null(const void *in, void *out, void *ctx)
{
    (void)in;
    *(int64_t *)out = ctx == NULL;
    return 0;
}

int byte_plus_one(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(unsigned char *)out = (unsigned char)(*(const unsigned char *)in + 1);
    return 0;
}

/* Not a loop in the compiler's eyes: the array is used after the call. */
int recurse_without_end(int depth)
{
    volatile char used[4096];

    used[depth % 4096] = (char)depth;
    return recurse_without_end(depth + 1) + used[depth % 4096];
}
