"""Tables as plain text."""

from eval.text_table import plain_text, text_table


def test_names_are_text_and_not_markup():
    table = text_table()
    table.add_column("[red]player")
    table.add_row("[bold]run[/bold] :smile:")
    assert plain_text(table) == "[red]player\n[bold]run[/bold] :smile:"
