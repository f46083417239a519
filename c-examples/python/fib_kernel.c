/* The item function of the Python examples: the naive Fibonacci number of one long long. */
static long long fib(long long n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int fib_item(const void *in, void *out, void *ctx)
{
    const long long n = *(const long long *)in;

    (void)ctx;
    if (n < 0)
        return 1;
    *(long long *)out = fib(n);
    return 0;
}
