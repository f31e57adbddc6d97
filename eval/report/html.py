"""Templates of pages."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template


def html_template(name: str, *packages: str) -> Template:
    """A template for HTML, which escapes what it is given; a missing value is an error.

    Args:
      name: its file's name.
      packages: whose `templates` it and what it includes are looked for in, in order.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)
