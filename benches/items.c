#include "items.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int item_trivial(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(double *)out = *(const double *)in + 1.0;
    return 0;
}

uint64_t spin(uint64_t seed, uint64_t rounds)
{
    uint64_t a = seed, b = seed + 1, c = seed + 2, d = seed + 3;
    for (uint64_t i = 0; i < rounds; i++) {
        a = a * 6364136223846793005u + 1442695040888963407u;
        b = b * 6364136223846793005u + 1442695040888963407u;
        c = c * 6364136223846793005u + 1442695040888963407u;
        d = d * 6364136223846793005u + 1442695040888963407u;
    }
    return (a ^ b ^ c ^ d) | 1; /* never 0, so that an item that did not run shows */
}

int item_spin(const void *in, void *out, void *ctx)
{
    *(uint64_t *)out = spin(*(const uint64_t *)in, *(const uint64_t *)ctx);
    return 0;
}

int item_spin_own(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(uint64_t *)out = spin(1, *(const uint64_t *)in);
    return 0;
}

int64_t fib(int32_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int item_fib(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int64_t *)out = fib(*(const int32_t *)in);
    return 0;
}

int item_axpb(const void *in, void *out, void *ctx)
{
    const struct axpb *line = ctx;
    *(double *)out = line->a * *(const double *)in + line->b;
    return 0;
}

int range_axpb(size_t begin, size_t end, void *ctx)
{
    const struct axpb *line = ctx;
    const double *restrict in = line->in;
    double *restrict out = line->out;
    for (size_t i = begin; i < end; i++)
        out[i] = line->a * in[i] + line->b;
    return 0;
}

int fold_sum(size_t begin, size_t end, void *acc, void *ctx)
{
    const double *in = ctx;
    /* Eight sums at once, so that the memory is the limit and not the latency of one addition. */
    double lanes[8] = {0};
    size_t i = begin;
    for (; i + 8 <= end; i += 8)
        for (size_t lane = 0; lane < 8; lane++)
            lanes[lane] += in[i + lane];
    double sum = *(double *)acc;
    for (; i < end; i++)
        sum += in[i];
    for (size_t lane = 0; lane < 8; lane++)
        sum += lanes[lane];
    *(double *)acc = sum;
    return 0;
}

int combine_sum(void *acc, const void *other, void *ctx)
{
    (void)ctx;
    *(double *)acc += *(const double *)other;
    return 0;
}

int item_text(const void *in, size_t in_len, par_bytes *out, void *ctx)
{
    const struct text *text = ctx;
    char line[64];
    uint32_t number = 0;
    memcpy(&number, in, in_len < sizeof number ? in_len : sizeof number);
    int len = snprintf(line, sizeof line, "item %u of the list", (unsigned)number);
    if (len < 0 || text->resize(out, (size_t)len) != PAR_OK)
        return 1;
    memcpy(out->data, line, (size_t)len);
    return 0;
}

int item_force(const void *in, void *out, void *ctx)
{
    const struct bodies *bodies = ctx;
    const struct body *self = in;
    struct body *result = out;
    double sum[3] = {0, 0, 0};
    for (size_t j = 0; j < bodies->n; j++) {
        const struct body *other = &bodies->all[j];
        double dx = other->position[0] - self->position[0];
        double dy = other->position[1] - self->position[1];
        double dz = other->position[2] - self->position[2];
        double square = dx * dx + dy * dy + dz * dz + 1e-3;
        double pull = other->mass / (square * sqrt(square));
        sum[0] += dx * pull;
        sum[1] += dy * pull;
        sum[2] += dz * pull;
    }
    *result = *self;
    memcpy(result->acceleration, sum, sizeof sum);
    return 0;
}

int item_move(const void *in, void *out, void *ctx)
{
    const struct bodies *bodies = ctx;
    const struct body *self = in;
    struct body *result = out;
    *result = *self;
    for (int axis = 0; axis < 3; axis++) {
        result->velocity[axis] += bodies->step * self->acceleration[axis];
        result->position[axis] += bodies->step * result->velocity[axis];
    }
    return 0;
}
