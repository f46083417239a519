/* Loses a block of memory on purpose: a leak checker that does not see this one sees none. */
#include <stdlib.h>

int main(void)
{
    static char *volatile lost;
    lost = malloc(4000);
    int had = lost != NULL;
    lost = NULL;
    return !had;
}
