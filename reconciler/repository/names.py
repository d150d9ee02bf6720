"""Names of files as people and files may have them."""


def printable(path: bytes) -> str:
    """Return a path that can be shown, matched and written anywhere.

    Bytes that are not UTF-8, and characters that would break a line or a terminal, stand as backslash escapes: content
    is read by blob id, never by this name.
    """
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
