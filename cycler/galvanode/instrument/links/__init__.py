"""Links to instruments: an open set, of which all keep the same promises (``base``)."""
