"""Sentences of one request that are decoded before their turn, each in a thread of its own."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from queue import SimpleQueue

Open = Callable[[], Generator[int, None, None]]


class Ahead:
    """Tokens of one sentence, made whether or not somebody asks for them."""

    def __init__(self, opened: Open) -> None:
        """Begin.

        Args:
            opened: gives the sentence's tokens; called in the new thread.
        """
        self._made: SimpleQueue[int | BaseException | None] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(opened,), daemon=True)
        self._thread.start()

    def _run(self, opened: Open) -> None:
        try:
            with closing(opened()) as tokens:
                for token in tokens:
                    if self._stop.is_set():
                        return
                    self._made.put(token)
            self._made.put(None)
        except BaseException as error:  # it is raised where the tokens are taken
            self._made.put(error)

    def tokens(self) -> Generator[int, None, None]:
        """The same tokens, as they come; closing it ends the work."""
        try:
            while (made := self._made.get()) is not None:
                if isinstance(made, BaseException):
                    raise made
                yield made
        finally:
            self.close()

    def close(self) -> None:
        """End the work after the token that it is at, and wait for that."""
        self._stop.set()
        self._thread.join()


class Row:
    """The sentences of a request, some of them opened ahead, in their order."""

    def __init__(self, sentences: Iterator[Open], count: int) -> None:
        """Begin with none.

        Args:
            sentences: in their order.
            count: that are opened ahead, at most.
        """
        self._sentences = sentences
        self._count = count
        self._opened: list[Ahead] = []

    def next(self) -> Generator[int, None, None]:
        """Tokens of the next sentence; those behind it are opened when its first token is there."""
        mine = self._opened.pop(0).tokens() if self._opened else next(self._sentences)()
        return self._followed(mine)

    def _followed(self, mine: Generator[int, None, None]) -> Generator[int, None, None]:
        with closing(mine):
            for token in mine:
                if len(self._opened) < self._count:
                    self._open()
                yield token

    def _open(self) -> None:
        for opened in self._sentences:
            self._opened.append(Ahead(opened))
            if len(self._opened) >= self._count:
                return
        self._count = 0  # there are no more

    def close(self) -> None:
        """End what was opened and not taken."""
        for opened in self._opened:
            opened.close()
        self._opened.clear()
