"""receive takes from anyone, and says from whom; tags are kept apart."""

from libparmap import mpi

rank, size = mpi.rank(), mpi.size()
if rank == 0:
    senders = set()
    for _ in range(1, size):
        word, status = mpi.receive(return_status=True, tag=3)
        assert word == f"from {status.source}" and status.tag == 3 and status.bytes() > 0 and status.error == 0
        senders.add(status.source)
    assert senders == set(range(1, size))
    later = [mpi.receive(source, tag=mpi.any_tag, return_status=True) for source in range(1, size) for _ in range(2)]
    assert [(word, status.tag) for word, status in later] == [(1, 1), (2, 2)] * (size - 1)
else:
    mpi.send(1, 0)
    mpi.send(2, 0, tag=2)
    mpi.send(f"from {rank}", 0, tag=3)

mpi.send("to myself", rank, tag=9)
mpi.send("again", rank, tag=8)
assert mpi.receive(rank, tag=8) == "again"
assert mpi.receive(tag=9) == "to myself"

assert isinstance(mpi.get_processor_name(), str) and mpi.get_processor_name()
assert mpi.time() <= mpi.time()
mpi.finalize()
mpi.finalize()
print(f"rank {rank} is content")
