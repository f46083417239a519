"""Makes backend="libparmap" known to joblib, whichever of the two is imported first."""

import importlib.util
import sys


def install():
    if "joblib" in sys.modules:
        _announce(sys.modules["joblib"])
    else:
        sys.meta_path.insert(0, _WhenJoblibComes())


def _announce(joblib):
    """joblib calls _register when somebody asks for the backend."""
    backends = getattr(getattr(joblib, "parallel", None), "EXTERNAL_BACKENDS", None)
    if backends is not None:
        backends.setdefault("libparmap", _register)


def _register():
    from libparmap.pools import joblib_backend

    joblib_backend.register()


class _WhenJoblibComes:
    """A finder that finds nothing itself: it sees joblib being looked for, and is told when it has been loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != "joblib" or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            _after_loading(spec.loader)
        return spec


def _after_loading(loader):
    load = loader.exec_module

    def load_and_announce(module):
        load(module)
        _announce(module)

    loader.exec_module = load_and_announce
