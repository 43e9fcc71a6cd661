"""The one file of a `multipart/form-data` body, as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from mill_api.problems import RequestInvalid

FIELD = "file"
_HEADER_BYTES = 8 * 2**10


class FormFile:
    """Iterates over the bytes of the file; its name and type are known as soon as the first of them is.

    Raises, while iterating:
        RequestInvalid: The body is not well formed, or holds anything but one file in the field `file`.
    """

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise RequestInvalid("The Content-Type names no boundary.")
        self.filename = ""
        self.content_type = ""
        self._body = body
        self._parts = 0
        self._ended = False
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )

    async def blocks(self) -> AsyncIterator[bytes]:
        """The file's bytes."""
        try:
            async for chunk in self._body:
                self._parser.write(chunk)
                if self._data:
                    yield b"".join(self._data)
                    self._data.clear()
            self._parser.finalize()
        except FormParserError as error:
            raise RequestInvalid(f"The form is malformed: {error}") from None
        if not self._ended or self._parts == 0:
            raise RequestInvalid("The form ends before its closing boundary.")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._check_header()

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._name) + len(self._value) > _HEADER_BYTES:
            raise RequestInvalid("A part of the form has too long a header.")

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._parts += 1
        if self._parts > 1 or options.get(b"name") != FIELD.encode() or b"filename" not in options:
            raise RequestInvalid(f"The form takes one file, in the field {FIELD!r}, and nothing else.")
        self.filename = options[b"filename"].decode(errors="replace")
        self.content_type = self._headers.get(b"content-type", b"").decode("latin-1")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _on_end(self) -> None:
        self._ended = True
