"""How figures are made: style, records, moving pictures, the sheet, and the command."""
