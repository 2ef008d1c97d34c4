import hashlib, os, subprocess, tempfile
from collections.abc import Callable
from pathlib import Path
from fleet.model.documents import WheelIndex, Wheels
from fleet.store.objects import Objects
from tests.ec2.root import cache
def agent_archive() -> Callable[[Objects], WheelIndex]:
    folder=Path(tempfile.mkdtemp())
    archive=folder/"a.tar.gz"
    src=Path(os.environ.get("FLEET_SRC","."))
    subprocess.run(f"tar -czf {archive} --exclude=__pycache__ -C {cache()}/try-site . -C {src.absolute()} fleet",shell=True,check=True)
    sha=hashlib.sha256(archive.read_bytes()).hexdigest()
    def put(objects):
        key=f"agent/try/cp311-x86_64.tar.gz"
        objects.upload(key,archive)
        return WheelIndex(version="try",archives={"cp311-x86_64":Wheels(key=key,sha256=sha,size=archive.stat().st_size)})
    return put
