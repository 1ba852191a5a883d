#include "cli/program.h"
#include "recipe/registry.h"

int main(int argc, char** argv) {
  const spillway::recipe::Registry registry = spillway::recipe::RecipesInProgram();
  return spillway::cli::Main(argc, argv, registry);
}
