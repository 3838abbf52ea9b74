from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

LANES: int

class MD5:
    def update(self, data: Buffer, /) -> None: ...
    def digest(self) -> bytes: ...

def update_all(pairs: list[tuple[MD5, Buffer]], /) -> None: ...
