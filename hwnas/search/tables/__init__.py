"""Recorded tables as search spaces: every algorithm can be replayed on numbers that never change."""

from hwnas.search.tables.cell import Cell
from hwnas.search.tables.read import read_table
from hwnas.search.tables.space import TableSpace
from hwnas.search.tables.table import Table

__all__ = ["Cell", "Table", "TableSpace", "read_table"]
