"""Write what students get of an assignment: a tree that installs, imports and runs, without the answers."""


def arguments(parser):
    parser.add_argument("assignment", help="04, or 04b")
    parser.add_argument("folder", metavar="DIR", help="a folder that is not there yet, or empty")
    parser.add_argument("--format", default="tree", choices=["tree", "nbgrader", "otter", "gradescope"],
                        help="for whom (%(default)s)")
    parser.add_argument("--solution", action="store_true", help="with the answers, for teachers")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="what the numbers follow from (%(default)s)")


def run(options):
    from lectures.coursework import release
    print(release.written(options.assignment, options.folder, options.format, options.solution, options.seed))
    return 0
