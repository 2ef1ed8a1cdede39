"""python -m lectures: see lectures/__init__.py."""
import argparse
import sys

from lectures import commands


def main(arguments=None):
    """Do what the command says; 0 if all went well, 1 if not, 2 for what makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m lectures", description="Keep the lectures true.")
    choices = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, command in commands.all().items():
        idea = command.__doc__.strip().split("\n")[0]
        options = choices.add_parser(name, help=idea, description=command.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
        command.arguments(options)
        options.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
